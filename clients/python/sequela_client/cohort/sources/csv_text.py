"""Finds out how a CSV file is written: its delimiter, and how many lines come before the header.

DuckDB could guess this, but it looks at the first 20,480 lines only: a quote that comes later would become a part of
the text, and lines before one with more columns would be skipped.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from sequela_client.errors import CallerError

_DELIMITERS = ",;\t|"
_HEAD_BYTES = 1 << 16
# The first line of some files names the delimiter, for Excel.
_SEPARATOR = re.compile("sep=(.)", re.IGNORECASE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def csv_options(path: str) -> str:
    """Returns the arguments of DuckDB's read_csv for this file and others of the same format. Cells are texts.

    Raises:
        CallerError: the file cannot be read, or is not UTF-8.
    """
    skipped, delimiter = before_header(path)
    return (
        f"all_varchar = true, header = true, union_by_name = true, delim = '{delimiter}', quote = '\"', "
        f"escape = '\"', comment = '', skip = {skipped}, sample_size = 1"
    )


def before_header(path: str) -> tuple[int, str]:
    """Returns how many lines of a file come before the header, and the delimiter.

    Blank lines and comments may come before it. A line with # is the header if it has as many columns as the next line.

    Raises:
        CallerError: the file cannot be read, or is not UTF-8.
    """
    lines = _first_lines(path)
    said, place = "", 0
    for place, line in enumerate(lines):
        if found := _SEPARATOR.fullmatch(line.strip()):
            said = found[1] if found[1] in _DELIMITERS else ""
        elif line.strip() and not _is_comment(lines, place):
            return place, said or _delimiter(line)
    return place if said else 0, said or ","


def _first_lines(path: str) -> list[str]:
    try:
        # The ending of the name says whether the file is compressed.
        with pa.input_stream(path, compression="detect") as file:
            head = bytes(file.read(_HEAD_BYTES))
    except (OSError, pa.ArrowException) as error:
        raise CallerError(f"{Path(path).name}: {error}", reason="FILE_NOT_READABLE") from error
    if head.startswith(_UTF16):
        text = (
            f"{Path(path).name}: is encoded as UTF-16; name that with --encoding utf-16 (encoding= in Python)"
        )
        raise CallerError(text, reason="FILE_NOT_READABLE")
    return re.split("\r\n|\n|\r", head.decode("utf-8-sig", "replace"))


def _is_comment(lines: list[str], place: int) -> bool:
    line, later = lines[place], [each for each in lines[place + 1 :] if each.strip()]
    if not line.lstrip().startswith("#") or not later:
        return False
    return _columns(line, _delimiter(later[0])) != _columns(later[0], _delimiter(later[0]))


def _delimiter(header: str) -> str:
    """Returns the delimiter that gives the most columns."""
    return max(_DELIMITERS, key=lambda each: _columns(header, each))


def _columns(line: str, delimiter: str) -> int:
    rows: Any = csv.reader([line], delimiter=delimiter)
    return len(next(rows, []))
