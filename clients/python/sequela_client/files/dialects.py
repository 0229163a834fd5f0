"""Detects the delimiter and the decimal mark of a text file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from sequela_client.files.cells import has_decimal_comma, has_thousands, is_missing, is_number
from sequela_client.files.text_format import TextFormat

# Delimiters, and their names in messages. If several fit equally well, the first is used.
DELIMITERS = {"\t": "tabs", ";": "';'", "|": "'|'", ",": "','", " ": "spaces"}

Row = tuple[int, list[str]]
"""The number of the line on which a row ends, and its cells."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file is written. The delimiter is empty if there is a single column."""

    delimiter: str
    decimal: str

    @property
    def words(self) -> str:
        """A description of the dialect, for messages."""
        between = f"{DELIMITERS.get(self.delimiter, repr(self.delimiter))} between columns"
        mark = "decimal commas" if self.decimal == "," else "decimal points"
        return f"{between if self.delimiter else 'a single column'}, {mark}"


def split_rows(lines: Sequence[str], delimiter: str) -> list[Row]:
    """Splits lines into rows, with the numbers of their last lines, from 1 on. A blank line is an empty row."""
    # If spaces are delimiters, those at both ends of a line would make empty columns.
    trimmed = (line.strip(" \r\n") if delimiter == " " or not line.strip(" \r\n") else line for line in lines)
    # csv needs a delimiter. For a single column, this is a control character that no text file has.
    reader = csv.reader(trimmed, delimiter=delimiter or "\x1f", skipinitialspace=True)
    return [(reader.line_num, row) for row in reader]


def detect_dialect(lines: Sequence[str], text_format: TextFormat) -> Dialect:
    """Returns the dialect that the caller gave, or detects it in the lines. Raises ValueError if it is ambiguous."""
    delimiter = (
        _delimiter(lines, text_format) if text_format.delimiter is None else _named(text_format.delimiter)
    )
    if text_format.decimal is not None:
        return Dialect(delimiter, text_format.decimal)
    rows = [row for row in split_rows(lines, delimiter) if row[1]]
    # If commas separate columns, they cannot be decimal marks.
    return Dialect(delimiter, "." if delimiter == "," else _decimal(rows))


def _named(delimiter: str) -> str:
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}
    chosen = named.get(delimiter, delimiter)
    if chosen not in DELIMITERS:
        raise ValueError(f"--delimiter must be one of , ; | tab space, not {delimiter!r}")
    return chosen


def _delimiter(lines: Sequence[str], text_format: TextFormat) -> str:
    """Returns the delimiter that gives every row the same number of columns, and most of its cells numbers."""
    candidates = [each for each in DELIMITERS if each != text_format.decimal]
    rows = {each: [row for _, row in split_rows(lines, each) if row] for each in candidates}
    regular = [each for each in candidates if _regular(rows[each])]
    # A text with the same number of words in each line would look like columns.
    if " " in regular and not _all_numbers(rows[" "]):
        regular.remove(" ")
    if regular:
        return max(regular, key=lambda each: _numeric(rows[each], each))
    # No delimiter fits all rows. If one splits most of them, the reader reports the others with their lines.
    common = {each: sum(len(row) > 1 for row in rows[each]) for each in candidates if each != " "}
    best = max(common, key=lambda each: common[each], default="")
    return best if best and common[best] * 2 >= len(rows[best]) else ""


def _regular(rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether all rows have the same number of columns, more than one; a header may have one name less."""
    widths = set(map(len, rows[1:] or rows))
    return len(widths) == 1 and min(widths) > 1 and len(rows[0]) in (min(widths), min(widths) - 1)


def _all_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether all rows below a header have numbers only. Spaces occur within texts, too."""
    cells = [cell for row in rows[1:] or rows for cell in row]
    return all(is_missing(cell) or is_number(cell) or is_number(cell, ",") for cell in cells)


def _numeric(rows: Sequence[Sequence[str]], delimiter: str) -> float:
    """Returns the share of cells that are numbers, with the decimal mark that fits better."""
    cells = [cell for row in rows for cell in row]
    marks = "." if delimiter == "," else ".,"
    return max(sum(is_number(cell, mark) for cell in cells) for mark in marks) / len(cells)


def _decimal(rows: Sequence[Row]) -> str:
    """Returns the decimal mark. Raises ValueError if both occur, or if a comma may separate thousands."""
    cells = [(number, cell.strip()) for number, row in rows for cell in row]
    commas = [(number, cell) for number, cell in cells if has_decimal_comma(cell)]
    if not commas:
        return "."
    points = [(number, cell) for number, cell in cells if "." in cell and is_number(cell)]
    if points:
        raise ValueError(
            f"line {commas[0][0]} has {commas[0][1]!r} and line {points[0][0]} has {points[0][1]!r}, so the decimal "
            "mark is not clear; use --decimal , or --decimal ."
        )
    if all(has_thousands(cell) for _, cell in commas):
        raise ValueError(
            f"line {commas[0][0]}: {commas[0][1]!r} may have a decimal comma or a thousands separator; "
            "use --decimal , or write the number without the separator"
        )
    return ","
