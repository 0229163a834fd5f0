"""What stands between the columns of a text file, and which decimal mark its numbers have."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from sequela_client.files.cells import has_decimal_comma, has_thousands, is_missing, is_number
from sequela_client.files.text_format import TextFormat

DELIMITERS = {"\t": "tabs", ";": "';'", "|": "'|'", ",": "','", " ": "spaces"}
"""What may stand between columns, in words; of those that fit as well, the first is taken."""

Row = tuple[int, list[str]]
"""A row and the number of the line that it ends on."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file is written; an empty delimiter: it has one column."""

    delimiter: str
    decimal: str

    @property
    def words(self) -> str:
        """For messages."""
        between = f"{DELIMITERS.get(self.delimiter, repr(self.delimiter))} between columns"
        mark = "decimal commas" if self.decimal == "," else "decimal points"
        return f"{between if self.delimiter else 'a single column'}, {mark}"


def split(lines: Sequence[str], delimiter: str) -> list[Row]:
    """The rows, each with the number of its last line, counted from 1; blank lines are empty rows."""
    trimmed = (line.strip(" \r\n") if delimiter == " " or not line.strip(" \r\n") else line for line in lines)
    reader = csv.reader(trimmed, delimiter=delimiter or "\x1f", skipinitialspace=True)
    return [(reader.line_num, row) for row in reader]


def dialect(lines: Sequence[str], reading: TextFormat) -> Dialect:
    """How these lines are written, as the caller says or as they look. Raises ValueError where that is in doubt."""
    delimiter = _delimiter(lines, reading) if reading.delimiter is None else _named(reading.delimiter)
    if reading.decimal is not None:
        return Dialect(delimiter, reading.decimal)
    rows = [row for row in split(lines, delimiter) if row[1]]
    return Dialect(delimiter, "." if delimiter == "," else _decimal(rows))


def _named(delimiter: str) -> str:
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}
    chosen = named.get(delimiter, delimiter)
    if chosen not in DELIMITERS:
        raise ValueError(f"--delimiter is {delimiter!r}; columns are told apart by one of , ; | tab space")
    return chosen


def _delimiter(lines: Sequence[str], reading: TextFormat) -> str:
    """The one that gives every row as many columns and most cells as numbers."""
    candidates = [each for each in DELIMITERS if each != reading.decimal]
    rows = {each: [row for _, row in split(lines, each) if row] for each in candidates}
    regular = [each for each in candidates if _regular(rows[each])]
    if " " in regular and not _all_numbers(rows[" "]):
        regular.remove(" ")
    if regular:
        return max(regular, key=lambda each: _numeric(rows[each], each))
    # No row tells; where most rows have columns, the ragged ones are faults that the reader names.
    common = {each: sum(len(row) > 1 for row in rows[each]) for each in candidates if each != " "}
    best = max(common, key=lambda each: common[each], default="")
    return best if best and common[best] * 2 >= len(rows[best]) else ""


def _regular(rows: Sequence[Sequence[str]]) -> bool:
    """Whether all rows have the same number of columns, and more than one; a header may have one name less."""
    widths = set(map(len, rows[1:] or rows))
    return len(widths) == 1 and min(widths) > 1 and len(rows[0]) in (min(widths), min(widths) - 1)


def _all_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether all rows but a header hold numbers only: spaces stand within words as well."""
    cells = [cell for row in rows[1:] or rows for cell in row]
    return all(is_missing(cell) or is_number(cell) or is_number(cell, ",") for cell in cells)


def _numeric(rows: Sequence[Sequence[str]], delimiter: str) -> float:
    """The share of cells that are numbers, with the decimal mark that suits them better."""
    cells = [cell for row in rows for cell in row]
    marks = "." if delimiter == "," else ".,"
    return max(sum(is_number(cell, mark) for cell in cells) for mark in marks) / len(cells)


def _decimal(rows: Sequence[Row]) -> str:
    """The decimal mark. Raises ValueError where both occur, or where a comma may stand for thousands."""
    cells = [(number, cell.strip()) for number, row in rows for cell in row]
    commas = [(number, cell) for number, cell in cells if has_decimal_comma(cell)]
    if not commas:
        return "."
    points = [(number, cell) for number, cell in cells if "." in cell and is_number(cell)]
    if points:
        raise ValueError(
            f"line {commas[0][0]} has {commas[0][1]!r} and line {points[0][0]} has {points[0][1]!r}: which is the "
            "decimal mark? Say --decimal , or --decimal ."
        )
    if all(has_thousands(cell) for _, cell in commas):
        raise ValueError(
            f"line {commas[0][0]}: {commas[0][1]!r} may have a decimal comma or a separator for thousands; "
            "say --decimal , or write the number without a separator"
        )
    return ","
