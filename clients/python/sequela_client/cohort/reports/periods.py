"""Parses periods of time, such as "2026-01", "2026-01-15" or "2026-01-01/2026-02-01"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sequela_client.errors import CallerError

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SECONDS_OF_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Period:
    """A period from `first` to `end`, which is not part of it, in microseconds since 1970 (UTC)."""

    first: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Period:
        """Parses a year, a month, a day, or two times with a slash between, of which the end is not part of the period.

        Raises:
            CallerError: the text is none of these.
        """
        try:
            start, separator, end = text.partition("/")
            period = cls(_microseconds(start), _microseconds(end)) if separator else _calendar(text)
        except ValueError:
            raise CallerError(
                f"{text!r} is not a period; write a year (2026), a month (2026-01), a day (2026-01-15), or the first "
                "time and the end with a slash between (2026-01-01/2026-02-01)"
            ) from None
        if period.end <= period.first:
            raise CallerError(f"the period {text!r} ends before it begins")
        return period

    @property
    def condition(self) -> str:
        """A condition in SQL for the rows of the period."""
        return f"epoch_us(time) >= {self.first} AND epoch_us(time) < {self.end}"


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def _calendar(text: str) -> Period:
    if _DAY.fullmatch(text):
        first = _microseconds(text)
        return Period(first, first + _SECONDS_OF_A_DAY * 1_000_000)
    match = _PARTIAL.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month = int(match[1]), int(match[2] or 0)
    start = datetime(year, month or 1, 1, tzinfo=UTC)
    end = datetime(year + (month in (0, 12)), month % 12 + 1 if month else 1, 1, tzinfo=UTC)
    return Period(round(start.timestamp() * 1_000_000), round(end.timestamp() * 1_000_000))
