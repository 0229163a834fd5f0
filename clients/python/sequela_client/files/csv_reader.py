"""Reads CSV and similar text files. The delimiter, decimal mark, comment lines and header are detected.

No row and no missing value is dropped silently. A file that is ambiguous is refused; the error names the line and the
option that helps.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sequela_client.files.cells import is_missing, is_number
from sequela_client.files.dialects import Dialect, Row, detect_dialect, split_rows
from sequela_client.files.file_table import FileTable
from sequela_client.files.headers import has_header
from sequela_client.files.text_encoding import decode_text
from sequela_client.files.text_format import TextFormat

# The first line of some files names the delimiter, for Excel.
_SEPARATOR = re.compile("sep=(.)", re.IGNORECASE)


def read_csv(path: Path, text_format: TextFormat) -> FileTable:
    """Reads the table in a file. Raises ValueError if it cannot be read, or is ambiguous."""
    text = decode_text(path.read_bytes(), text_format.encoding)
    lines = list(enumerate(io.StringIO(text, newline=None), 1))
    # Excel writes this line if the delimiter is not the usual one of the reader's country.
    if lines and (said := _SEPARATOR.fullmatch(lines[0][1].strip())):
        lines, text_format = lines[1:], replace(text_format, delimiter=text_format.delimiter or said[1])
    comments = [(number, line) for number, line in lines if line.lstrip().startswith("#")]
    numbered_lines = [(number, line) for number, line in lines if not line.lstrip().startswith("#")]
    written = detect_dialect([line for _, line in numbered_lines if line.strip()], text_format)
    rows = _trimmed(_events(numbered_lines, written))
    names, body = _regular(*_headed(rows, text_format, written), written)
    remark = _remark(comments, len(rows[0][1]), written)
    if not body:
        raise ValueError("it has no events")
    return FileTable(
        path,
        tuple(tuple(row) for _, row in body),
        tuple(number for number, _ in body),
        names,
        () if names else remark,
        decimal=written.decimal,
        seen=written.words,
    )


def _events(numbered_lines: Sequence[tuple[int, str]], written: Dialect) -> list[Row]:
    """Returns the rows that are not blank. Raises ValueError if a blank line may be a missing value."""
    rows = split_rows([line for _, line in numbered_lines], written.delimiter)
    numbered = [(numbered_lines[index - 1][0], row) for index, row in rows]
    filled = [index for index, (_, row) in enumerate(numbered) if not _is_blank(row)]
    if not filled:
        raise ValueError("it has no events")
    # In a file with a single column, a blank line may be a missing value.
    if not written.delimiter:
        for number, row in numbered[filled[0] : filled[-1]]:
            if _is_blank(row):
                raise ValueError(
                    f"line {number} is blank, which may be a missing value; remove the line, or write the value"
                )
    return [numbered[index] for index in filled]


def _is_blank(row: Sequence[str]) -> bool:
    """Returns whether a line is blank. A line with `""` is not: it has an empty value."""
    return not row


def _headed(rows: list[Row], text_format: TextFormat, written: Dialect) -> tuple[tuple[str, ...], list[Row]]:
    """Returns the names of the columns, empty without a header, and the rows below it."""
    header = text_format.header
    if header is None:
        header = has_header([row for _, row in rows], written.decimal)
    if not header:
        return (), rows
    return tuple(name.strip() for name in rows[0][1]), rows[1:]


def _trimmed(rows: list[Row]) -> list[Row]:
    """Returns the rows without the empty last column that a delimiter at the end of every line makes."""
    width = len(rows[-1][1])
    ends = [len(row) == width and not row[-1].strip() for _, row in rows]
    # The header may lack the delimiter at its end.
    if width < 2 or not all(ends[1:]) or not (ends[0] or (len(rows) > 1 and len(rows[0][1]) == width - 1)):
        return rows
    return [(number, row[: width - 1]) for number, row in rows]


def _regular(names: tuple[str, ...], body: list[Row], written: Dialect) -> tuple[tuple[str, ...], list[Row]]:
    """Returns names and rows as they are. Raises ValueError if rows differ in length, or one repeats the header."""
    if not body:
        return names, body
    width = len(body[0][1])
    # R writes names of rows without a name for their column, but this may also be another mistake.
    if names and len(names) == width - 1:
        raise ValueError(
            f"the header has {len(names)} names, and line {body[0][0]} has {width} values (read with {written.words}); "
            "the first column may have names of rows, as R writes them (row.names=FALSE leaves them out)"
            + (", or numbers may have decimal commas (--decimal ,)" if written.delimiter == "," else "")
        )
    for number, row in body:
        if names and len(row) == len(names) and tuple(cell.strip() for cell in row) == names and any(names):
            raise ValueError(
                f"line {number} repeats the header, as if two files were joined; remove it, or all lines before it"
            )
        if len(row) != (len(names) or width):
            raise ValueError(
                f"line {number} has {len(row)} columns, not {len(names) or width} (read with {written.words}); "
                "use --delimiter or --decimal if that is wrong"
            )
    return names, body


def _remark(comments: Sequence[tuple[int, str]], width: int, written: Dialect) -> tuple[str, ...]:
    """Returns the names of the columns if a comment has them, as in `# time,amount` or `# Columns: time,amount`.

    Raises ValueError if a comment may be an event.
    """
    found: tuple[str, ...] = ()
    for number, line in comments:
        text = line.strip().lstrip("#").strip()
        cells = next(csv.reader([text], delimiter=written.delimiter or "\x1f", skipinitialspace=True), [])
        if len(cells) != width:
            continue
        # The first cell may follow other text, so only the other cells show whether these are values.
        if any(is_number(cell, written.decimal) for cell in (cells[1:] or cells)):
            raise ValueError(
                f"line {number} begins with '#' but has values, and may be an event; remove the line, or its '#'"
            )
        first = cells[0].rpartition(":")[2]
        if not any(map(is_missing, cells)):
            found = tuple(name.strip() for name in (first, *cells[1:]))
    return found
