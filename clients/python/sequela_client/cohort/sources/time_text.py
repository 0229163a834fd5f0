"""Times that are texts, as DuckDB reads them: the order of texts is not that of times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sequela_client.errors import CallerError

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f")
Query = Callable[[str], list[tuple[object, ...]]]
"""Runs a query, and returns its rows."""


@dataclass(frozen=True, slots=True)
class TimeForm:
    """One way to write times.

    Args:
        name: how messages call it.
        sql: the value of a text as SQL, with {} for the text; null where it is not written so.
    """

    name: str
    sql: str

    def value(self, text: str) -> str:
        """The value of a text, both as SQL."""
        return self.sql.format(f"trim({text})")


def _dates(name: str, *dates: str) -> TimeForm:
    formats = ", ".join(f"'{date}{clock}'" for date in dates for clock in _CLOCKS)
    # A time without a zone is taken as UTC, which is the connection's.
    return TimeForm(name, f"CAST(try_strptime({{}}, [{formats}]) AS TIMESTAMPTZ)")


_DAY_FIRST = _dates("day first", "%d/%m/%Y", "%d-%m-%Y")
_MONTH_FIRST = _dates("month first", "%m/%d/%Y", "%m-%d-%Y")
# Where several forms fit equally many texts, the first counts. Dates with points have the day first, as in `sequela
# explain`.
_FORMS = (
    TimeForm("whole numbers", "try_cast({} AS BIGINT)"),
    TimeForm("numbers", "try_cast({} AS DOUBLE)"),
    TimeForm("ISO 8601", "try_cast({} AS TIMESTAMPTZ)"),
    _dates("day first, with points", "%d.%m.%Y"),
    _dates("year first", "%Y/%m/%d", "%Y.%m.%d"),
    _DAY_FIRST,
    _MONTH_FIRST,
)


def time_form(column: str, query: Query, texts: str, sample_rows: int) -> TimeForm:
    """Finds out how the times of a column are written.

    Args:
        column: the name of the column, for messages.
        query: runs a query.
        texts: a query whose column `text` has the texts.
        sample_rows: how many of them are read, unless they are ambiguous.

    Raises:
        CallerError: TIME_UNREADABLE, no text is a time; TIME_AMBIGUOUS, day and month could be confused.
    """
    sample = f"(SELECT text FROM ({texts}) WHERE text IS NOT NULL AND trim(text) <> '' LIMIT {sample_rows})"
    counts = ", ".join(f"count({form.value('text')})" for form in _FORMS)
    *found, shown = query(f"SELECT {counts}, min(text) FROM {sample}")[0]
    numbers = [int(str(each)) for each in found]
    if shown is None:
        return _FORMS[2]
    if not max(numbers):
        raise CallerError(
            f"column {column!r}: {shown!r} is not a time that can be read; write times like 2026-03-29T14:00:00, "
            "29.03.2026 14:00 or 2026/03/29, or as numbers",
            reason="TIME_UNREADABLE",
        )
    best = _FORMS[numbers.index(max(numbers))]
    return best if best is not _DAY_FIRST else _day_or_month(column, query, texts)


def _day_or_month(column: str, query: Query, texts: str) -> TimeForm:
    """Day first or month first: all texts must fit one of them only, or be the same by both."""
    day, month = _DAY_FIRST.value("text"), _MONTH_FIRST.value("text")
    days, months, shown = query(
        f"SELECT count({day}), count({month}), min(text) FILTER (WHERE {day} <> {month}) FROM ({texts})"
    )[0]
    if days == months and shown is not None:
        raise CallerError(
            f"column {column!r}: in {shown!r} either number may be the day; write dates like 2026-03-29 or 29.03.2026",
            reason="TIME_AMBIGUOUS",
        )
    return _DAY_FIRST if int(str(days)) >= int(str(months)) else _MONTH_FIRST
