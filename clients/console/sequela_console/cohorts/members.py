"""Pages of the sequences behind a mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sequela_client.cohort import sql

from sequela_console.cohort_files.open_cohort import OpenCohort
from sequela_console.cohorts.event_spec import spec_of
from sequela_console.cohorts.event_table import event_table
from sequela_console.cohorts.marks import MarkedSequences, cell_members, edge_members
from sequela_console.cohorts.member_query import RowCondition, condition_of
from sequela_console.cohorts.variants import rows_of_variant, with_variants
from sequela_console.http.errors import bad_request

DEFAULT_LIMIT, MOST_LIMIT = 50, 500

_MARKS = {"grid_cell": cell_members, "edge": edge_members}


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A sequence behind a mark.

    Args:
        row: its row, unique within a variant.
        id: what the caller calls it.
        variant: its variant.
        status: explained, below_minimum or failed.
        score: the model's own output for it, on the scale of thresholds; None if it has none.
        length: how many events it has.
        time: when its latest event happened, as ISO time.
        labels: its labels.
        alert: the id of its explanation; the routes keep it only if the index has this alert.
    """

    row: int
    id: str
    variant: str
    status: str
    score: float | None
    length: int | None
    time: str | None
    labels: Mapping[str, str]
    alert: str | None


@dataclass(frozen=True, slots=True)
class CohortRowPage:
    """Some of the sequences behind a mark, the highest scores first.

    Args:
        rows: the sequences.
        total: how many there are.
        events: how many events are behind a cell of a grid or an edge; None for other marks.
        next: what asks for the next page; None on the last one.
    """

    rows: tuple[CohortRow, ...]
    total: int
    events: int | None
    next: str | None


def members_page(cohort: OpenCohort, members: Mapping[str, Any]) -> CohortRowPage:
    """Returns a page of the sequences behind a mark.

    Raises:
        ApiError: 400, the predicate is wrong; 404, there is no such variant.
        CallerError: the rows lack what the predicate asks for.
    """
    limit, start = _limit(members.get("limit")), _start(members.get("cursor"))
    variant = members.get("variant")
    if variant is not None and not isinstance(variant, str):
        raise bad_request("MEMBERS_INVALID", "variant is a name", "variant")
    mark = _MARKS.get(str(members.get("kind")))
    if mark is None:
        rows = rows_of_variant(cohort, variant)
        return _page(cohort, rows.rows, condition_of(rows, members), None, (start, limit))
    spec = with_variants(cohort, spec_of(members.get("spec")))
    table = event_table(cohort, spec)
    found = mark(table, members, variant)
    return _page(
        cohort, cohort.rows.rows, _keys(table.table, spec.variants, found), found.events, (start, limit)
    )


def _keys(table: Any, variants: tuple[str, ...], found: MarkedSequences) -> RowCondition:
    """Rows of these sequences, by row and variant, since a row's number is unique within a variant only."""
    rows, numbers = table.rows[found.sequences], table.variants[found.sequences]
    parts = [
        ("(variant = ? AND list_contains(?::BIGINT[], row))", (name, rows[numbers == place].tolist()))
        for place, name in enumerate(variants)
    ]
    return RowCondition(
        f"status = 'explained' AND ({' OR '.join(text for text, _ in parts)})",
        tuple(value for _, values in parts for value in values),
    )


def _page(
    cohort: OpenCohort, rows: str, condition: RowCondition, events: int | None, place: tuple[int, int]
) -> CohortRowPage:
    start, limit = place
    total = cohort.query(
        f"SELECT count(*) AS n FROM {rows} WHERE {condition.text}", condition.values
    ).to_pylist()[0]["n"]
    found = cohort.query(
        f"SELECT row, id, variant, status, {sql.RAW_SCORE} AS shown_score, length, labels, explanation, "
        "strftime(make_timestamp(epoch_us(time)), '%Y-%m-%dT%H:%M:%S+00:00') AS time "
        f"FROM {rows} WHERE {condition.text} "
        "ORDER BY shown_score DESC NULLS LAST, id, variant "
        f"LIMIT {limit} OFFSET {start}",
        condition.values,
    ).to_pylist()
    end = start + len(found)
    return CohortRowPage(
        rows=tuple(map(_row, found)),
        total=total,
        events=events,
        next=str(end) if found and end < total else None,
    )


def _row(found: Mapping[str, Any]) -> CohortRow:
    return CohortRow(
        row=found["row"],
        id=found["id"],
        variant=found["variant"],
        status=found["status"],
        score=found["shown_score"],
        length=found["length"],
        time=found["time"],
        labels=dict(found["labels"] or ()),
        alert=str(found["explanation"] or "").rpartition("/")[2] or None,
    )


def _limit(held: Any) -> int:
    if held is None:
        return DEFAULT_LIMIT
    if type(held) is not int or not 1 <= held <= MOST_LIMIT:
        raise bad_request("MEMBERS_INVALID", f"limit is a whole number from 1 to {MOST_LIMIT}", "limit")
    return held


def _start(held: Any) -> int:
    if held is None:
        return 0
    if not (isinstance(held, str) and held.isascii() and held.isdigit() and len(held) < 12):
        raise bad_request("MEMBERS_INVALID", "cursor is what the page before gave as next", "cursor")
    return int(held)
