"""Detects whether the first row of a text file has the names of the columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sequela_client.files.cells import is_missing, is_number

_LIKE_A_NUMBER = re.compile(r"\s*[+-]?([0-9]|\.[0-9]|inf)", re.IGNORECASE)
_WAY_OUT = "use --header or --no-header"


def has_header(rows: Sequence[Sequence[str]], decimal: str) -> bool:
    """Returns whether the first row has names.

    Raises ValueError if the row may also be an event, because a wrong guess would go unnoticed.
    """
    first, rest = rows[0], rows[1:]
    numeric = [is_number(cell, decimal) for cell in first]
    if not any(numeric):
        return not all(map(is_missing, first))
    if all(number or is_missing(cell) for number, cell in zip(numeric, first, strict=True)):
        return _numbered(first, rest)
    texts = [cell for number, cell in zip(numeric, first, strict=True) if not number and not is_missing(cell)]
    if all(map(_LIKE_A_NUMBER.match, texts)):
        return False  # a date or a mistyped number, which is reported when it is read
    shown = next(cell for number, cell in zip(numeric, first, strict=True) if number)
    raise ValueError(
        f"the first row has {texts[0]!r} and {shown!r}, and may be names of columns or an event; {_WAY_OUT}"
    )


def _numbered(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Returns whether a row of numbers counts the columns, as pandas writes it for columns without names."""
    if first[0] == "" and len(first) > 1:
        return _counts(first[1:]) == 0  # the first column is pandas' index, which has no name
    start = _counts(first)
    if start is None or not rest:
        return False
    columns = list(zip(*(row[: len(first)] for row in rest), strict=False))
    written = [all(_is_decimal(cell) for cell in column) for column in columns]
    # An event would have decimal marks in the columns whose other numbers have them.
    if start == 0 and (all(written) if len(first) < 3 else any(written)):
        return True
    if start == 0 or (len(first) > 2 and all(written)):
        raise ValueError(
            f"the first row counts {', '.join(first[:3])}{', …' if len(first) > 3 else ''}, and may be numbers of "
            f"columns or an event; {_WAY_OUT}"
        )
    return False


def _counts(row: Sequence[str]) -> int | None:
    """Returns the first number if the row counts up in even steps, and by one if it starts at 0; else None."""
    if not all(cell.strip().isdecimal() for cell in row):
        return None
    values = [int(cell) for cell in row]
    step = values[1] - values[0] if len(values) > 2 and values[0] else 1
    even = step > 0 and all(value == values[0] + at * step for at, value in enumerate(values))
    return values[0] if even else None


def _is_decimal(cell: str) -> bool:
    """Returns whether a cell has a decimal mark or an exponent; a missing value counts as one that has."""
    return is_missing(cell) or any(mark in cell for mark in ".,eE")
