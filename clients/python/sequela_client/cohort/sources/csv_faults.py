"""Says what is wrong with a CSV file that DuckDB refuses: the file, the line, and what to change."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path

import pyarrow as pa

from sequela_client.cohort.sources.csv_text import before_header

_NAMED = re.compile(r'Error when sniffing file "(.+)"\.|^\s*file = (.+)$', re.MULTILINE)


def csv_fault(error: Exception, path: str) -> str:
    """Returns DuckDB's error about CSV files in one line that begins with the name of the file.

    Args:
        error: the error.
        path: the file to name if the error names none.
    """
    text = str(error)
    if found := _NAMED.search(text):
        path = found[1] or found[2]
    return f"{Path(path).name}: {_line_fault(path) if 'Error when sniffing' in text else _in_one_line(text)}"


def _in_one_line(text: str) -> str:
    lines = takewhile(lambda line: line.strip() and not line.startswith("Possible"), text.split("\n"))
    return "; ".join(line.strip() for line in lines)


def _line_fault(path: str) -> str:
    """Returns which line has not as many columns as the header, or how else the lines differ.

    DuckDB only says that it could not find out how the file is written.
    """
    skipped, delimiter = before_header(path)
    # The ending of the name says whether the file is compressed. The csv module raises for very long cells.
    with suppress(csv.Error), pa.input_stream(path, compression="detect") as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
        rows = csv.reader(islice(text, skipped, None), delimiter=delimiter)
        columns = len(next(rows, []))
        for row in rows:
            if row and len(row) != columns:
                return f"line {skipped + rows.line_num} has {len(row)} columns, and the header {columns}"
        # It knows the endings of the lines that were read.
        if isinstance(text.newlines, tuple):
            return "its lines end in different ways (LF, CR LF or CR); write all of them in the same way"
    return "its lines do not have the same format; perhaps a quote is not closed"
