"""Reads the cells of a column as times or as numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sequela_client.files.cells import Cell, is_missing, number

Moment = datetime | float

_EPOCHS = {1.0: "seconds", 1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}
_FIRST, _LAST = 3e8, 5e9
"""In seconds since 1970: the years 1979 to 2128. Numbers in this range are taken as times, others as counters."""

_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?:[T ]+(.*))?")
_YEAR_LAST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[T ]+(.*))?")


def readings(cells: Sequence[Cell], decimal: str) -> list[list[Moment]]:
    """Reads all cells of a column as times or numbers, in every way that is possible.

    The list is empty if a cell is neither, and has two items if day and month are ambiguous. A time without a zone is
    taken as UTC, so that it is shown as it is written.
    """
    if any(is_missing(cell) or isinstance(cell, bool) for cell in cells):
        return []
    try:
        return [[float(number(cell, decimal)) for cell in cells]]
    except ValueError:
        pass
    texts = [str(cell).strip() for cell in cells]
    # Day first and month first; all cells must agree on one of them.
    ways = [[_time(text, order) for text in texts] for order in ((0, 1), (1, 0))]
    found = [[time for time in way if time is not None] for way in ways]
    whole: list[list[Moment]] = [list(times) for times in found if len(times) == len(texts)]
    # Dates such as 01.01. or ISO 8601 read the same in both ways.
    return whole[:1] if len(whole) == 2 and whole[0] == whole[1] else whole


def _time(text: str, order: tuple[int, int]) -> datetime | None:
    """Parses ISO 8601, or a date with the year first or last and day (0) and month (1) in this order; else None."""
    try:
        return _zoned(datetime.fromisoformat(text))
    except ValueError:
        pass
    if match := _YEAR_FIRST.fullmatch(text):
        year, month, day, clock = match[1], match[2], match[3], match[4]
    elif match := _YEAR_LAST.fullmatch(text):
        first, second = (match[1], match[3])
        # Dates with points have the day first.
        day, month = (first, second) if order == (0, 1) or match[2] == "." else (second, first)
        year, clock = match[4], match[5]
    else:
        return None
    try:
        return _zoned(datetime.fromisoformat(f"{year}-{int(month):02}-{int(day):02}T{clock or '00:00'}"))
    except ValueError:
        return None


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def goes_back(moments: Sequence[Moment]) -> int | None:
    """Returns the first row with an earlier time than the row before it; None if there is none."""
    steps = enumerate(pairwise(moments), 1)
    return next((row for row, (before, here) in steps if here < before), None)  # type: ignore[operator]


def are_dates(cells: Sequence[Cell], decimal: str) -> bool:
    """Returns whether all cells of a column are dates or times, and none is a number."""
    for part in (cells[:1], cells):  # the first cell is enough for most columns
        found = readings(part, decimal)
        if not found or not found[0] or not isinstance(found[0][0], datetime):
            return False
    return True


def times(moments: Sequence[Moment]) -> tuple[list[datetime], str] | None:
    """Returns the times, and a note about their unit if they were numbers; None if the numbers are not times."""
    dates = [moment for moment in moments if isinstance(moment, datetime)]
    if dates and len(dates) == len(moments):
        return dates, ""
    numbers = [moment for moment in moments if isinstance(moment, float)]
    # The unit is not in the file, but only one unit gives times in a plausible year.
    for scale, unit in _EPOCHS.items():
        if 0 < len(numbers) == len(moments) and all(_FIRST <= each / scale < _LAST for each in numbers):
            start = datetime(1970, 1, 1, tzinfo=UTC)
            return [start + timedelta(seconds=each / scale) for each in numbers], f", in {unit} since 1970"
    return None
