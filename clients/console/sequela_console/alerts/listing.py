"""The list of alerts: pages, and the neighbours of an alert in it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sequela_console.alerts.parameters import (
    MAX_TEXT,
    alert_id,
    choice,
    integer,
    invalid,
    moment,
    number,
    text,
)
from sequela_console.alerts.summaries import AlertSummary, summaries
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.state.alert_filter import DECIDED, DECISIONS, OPEN, AlertFilter
from sequela_console.state.alert_list import SORT_COLUMNS, AlertList, AlertOrder, Place
from sequela_console.state.facets import Facets, facets

DEFAULT_LIMIT, MAX_LIMIT = 50, 500
AFTER, BEFORE = "after", "before"
_DURATION = re.compile(r"([0-9]{1,5})([hd])", re.ASCII)
_SECONDS = {"h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of the list, see `AlertPage` in types.ts."""

    alerts: tuple[AlertSummary, ...]
    total: int
    next: str | None
    previous: str | None
    facets: Facets


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What comes before and after an alert in the list, see `Neighbours` in types.ts."""

    previous: str | None
    next: str | None
    position: int | None
    total: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place from which a page starts, and to which side."""

    place: Place
    side: str

    def text(self) -> str:
        """Returns the cursor as a text for addresses."""
        content = json.dumps([self.side, self.place.value, self.place.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()


def alert_page(console: Console, question: Question) -> AlertPage:
    """Answers GET /api/alerts."""
    query = question.query
    listed = alert_list(console, query)
    limit = integer(query, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
    cursor = _cursor(query, listed.order)
    # One row more shows whether there is another page.
    if cursor is None:
        rows = listed.first(limit + 1)
        more_before, more_after, rows = False, len(rows) > limit, rows[:limit]
    elif cursor.side == AFTER:
        rows = listed.after(cursor.place, limit + 1)
        more_before, more_after, rows = True, len(rows) > limit, rows[:limit]
    else:
        rows = listed.before(cursor.place, limit + 1)
        more_before, more_after, rows = len(rows) > limit, True, rows[-limit:]
    first = listed.place_of(rows[0]) if rows else None
    last = listed.place_of(rows[-1]) if rows else None
    return AlertPage(
        alerts=summaries(console, rows),
        total=listed.total,
        next=Cursor(last, AFTER).text() if last and more_after else None,
        previous=Cursor(first, BEFORE).text() if first and more_before else None,
        facets=facets(console.state),
    )


def neighbours(console: Console, question: Question) -> Neighbours:
    """Answers GET /api/alerts/{id}/neighbours.

    An alert has neighbours even if it has left the list, because it was decided or because filters changed.
    """
    listed = alert_list(console, question.query)
    row = listed.row(alert_id(question.path))
    if row is None:
        return Neighbours(None, None, None, listed.total)
    place = listed.place_of(row)
    previous, following = listed.before(place, 1), listed.after(place, 1)
    return Neighbours(
        previous=previous[0]["id"] if previous else None,
        next=following[0]["id"] if following else None,
        position=listed.position(place) + 1 if listed.has(row["id"]) else None,
        total=listed.total,
    )


def alert_list(console: Console, query: Mapping[str, str]) -> AlertList:
    """Returns the list that the parameters of an address describe."""
    column = SORT_COLUMNS[choice(query, "sort", tuple(SORT_COLUMNS), "created")]
    order = AlertOrder(column, choice(query, "order", ("asc", "desc"), "desc") == "desc")
    return AlertList.counted(console.state, _filter(query), order)


def _filter(query: Mapping[str, str]) -> AlertFilter:
    return AlertFilter(
        text=text(query, "q").strip(),
        start=_start(query),
        end=moment(query, "to"),
        min_score=number(query, "min_score"),
        max_score=number(query, "max_score"),
        model=text(query, "model"),
        labels=_labels(text(query, "label", 2 * MAX_TEXT + 1)),
        decision=choice(query, "verdict", ("", OPEN, DECIDED, *DECISIONS), ""),
        feature=text(query, "feature"),
        target=text(query, "target"),
    )


def _start(query: Mapping[str, str]) -> float | None:
    """Returns the time of `from`, or that of `since`, such as 24h or 7d, whichever is later."""
    since = text(query, "since")
    if not since:
        return moment(query, "from")
    found = _DURATION.fullmatch(since)
    if found is None:
        raise invalid("since", "must be hours or days, such as 24h or 7d")
    ago = time.time() - int(found[1]) * _SECONDS[found[2]]
    return max(ago, moment(query, "from") or ago)


def _labels(given: str) -> tuple[tuple[str, str], ...]:
    """Returns the ways to read `key:value`: either of them may have colons."""
    if not given:
        return ()
    parts = given.split(":")
    if len(parts) == 1:
        raise invalid("label", "must be key:value")
    return tuple((":".join(parts[:i]), ":".join(parts[i:])) for i in range(1, min(len(parts), 10)))


def _cursor(query: Mapping[str, str], order: AlertOrder) -> Cursor | None:
    given = text(query, "cursor", 4 * MAX_TEXT)
    if not given:
        return None
    try:
        content = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
        side, value, id = json.loads(content)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise invalid("cursor", "is not one that the list gave") from None
    if side not in (AFTER, BEFORE) or not isinstance(id, str) or not _sorts(value, order):
        raise invalid("cursor", "is not one that the list gave for this order")
    return Cursor(Place(value, id), side)


def _sorts(value: Any, order: AlertOrder) -> bool:
    kind = str if order.column == "caller_id" else (int, float)
    return isinstance(value, kind) and not isinstance(value, bool)
