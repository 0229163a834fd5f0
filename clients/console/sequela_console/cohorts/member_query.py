"""The sequences behind a mark, as SQL whose values DuckDB binds: no SQL is made of what a browser sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sequela_client.cohort import schema, sql
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.reports.groups import group_value, grouping
from sequela_client.cohort.reports.periods import Period
from sequela_client.cohort.reports.pruning import PAPER_TOLERANCES, length_rows

from sequela_console.http.errors import ApiError, bad_request

# Groups of numbers that /figures/fairness makes, too.
GROUPS = 5
MOST_ROWS = 10_000
MOST_PARTS = 8
_EXPLAINED = f"status = '{schema.EXPLAINED}'"


@dataclass(frozen=True, slots=True)
class RowCondition:
    """A condition on rows of a cohort.

    Args:
        text: SQL with `?` where values belong.
        values: these values.
    """

    text: str
    values: tuple[Any, ...] = ()


def condition_of(rows: Cohort, members: Mapping[str, Any]) -> RowCondition:
    """Returns the condition that a predicate means. Raises ApiError (400) if it is none."""
    make = _CONDITIONS.get(str(members.get("kind")))
    if make is None:
        allowed = ", ".join([*_CONDITIONS, "grid_cell", "edge"])
        raise bad_request(
            "MEMBERS_INVALID",
            f"kind is {str(members.get('kind'))[:80]!r}; allowed is one of {allowed}",
            "kind",
        )
    return make(rows, members)


def _all(_: Cohort, __: Mapping[str, Any]) -> RowCondition:
    return RowCondition("true")


def _event_bin(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    inside = _between("e.value", members)
    return RowCondition(
        f"{_EXPLAINED} AND len(list_filter(events, lambda e: e.t = ? AND isfinite(e.value) AND {inside.text})) > 0",
        (_whole(members, "t"), *inside.values),
    )


def _feature_bin(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    name = _text(members, "feature")
    if name == STATIC:
        inside = _between("static_value", members)
        return RowCondition(
            f"{_EXPLAINED} AND features IS NOT NULL AND isfinite(static_value) AND {inside.text}",
            inside.values,
        )
    inside = _between("e.value", members)
    return RowCondition(
        f"{_EXPLAINED} AND len(list_filter(features, lambda e: e.feature = ? AND isfinite(e.value) "
        f"AND {inside.text})) > 0",
        (name, *inside.values),
    )


STATIC = "static inputs"
"""What reports call all static inputs together, which are one player."""


def _score_bin(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    inside = _between(f"({sql.RAW_SCORE})", members)
    return RowCondition(
        f"status <> '{schema.FAILED}' AND ({sql.RAW_SCORE}) IS NOT NULL AND {inside.text}", inside.values
    )


def _first_positive(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    known = f"status <> '{schema.FAILED}'"
    if members.get("t") is None:
        return RowCondition(f"{known} AND first_positive IS NULL")
    return RowCondition(f"{known} AND first_positive = ?", (_whole(members, "t"),))


def _group(rows: Cohort, members: Mapping[str, Any]) -> RowCondition:
    """Rows of a group, which is named as the report names it."""
    value = group_value(rows, _text(members, "by"))
    chosen = grouping(rows, value, GROUPS)
    known = f"status <> '{schema.FAILED}'"
    if members.get("value") is None:
        return RowCondition(f"{known} AND ({value}) IS NULL")
    found = rows.query(
        f'SELECT group_order AS "order", {chosen.name} AS name FROM '
        f"(SELECT {value} AS group_value, {chosen.order} AS group_order FROM {rows.rows} WHERE {known}) "
        "WHERE group_order IS NOT NULL GROUP BY group_order"
    ).to_pylist()
    wanted = str(members["value"])
    orders = tuple(each["order"] for each in found if _plain(each["name"]) == wanted)
    if not orders:
        raise bad_request("GROUP_NOT_FOUND", f"there is no group {wanted[:80]!r}", "value")
    return RowCondition(f"{known} AND ({chosen.order}) = ?", orders[:1])


def _plain(name: Any) -> str:
    return "" if name is None else str(name)


def _label(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    key = _text(members, "key")
    if members.get("value") is None:
        return RowCondition("labels[?] IS NULL", (key,))
    sign = "<>" if members.get("other") is True else "="
    return RowCondition(f"labels[?] {sign} ?", (key, _text(members, "value")))


def _period(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    period = Period.parse(_text(members, "period"))
    return RowCondition("epoch_us(time) >= ? AND epoch_us(time) < ?", (period.first, period.end))


def _status(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    return RowCondition("status = ?", (_text(members, "status"),))


def _failure(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    return RowCondition(f"status = '{schema.FAILED}' AND reason = ?", (_text(members, "reason"),))


def _warning(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    return RowCondition(f"{_EXPLAINED} AND list_contains(warnings, ?)", (_text(members, "code"),))


def _verdict(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    if members.get("verdict") is None:
        return RowCondition(f"{_EXPLAINED} AND pruning.verdict IS NULL")
    return RowCondition(f"{_EXPLAINED} AND pruning.verdict = ?", (_text(members, "verdict"),))


def _pruned_length(rows: Cohort, members: Mapping[str, Any]) -> RowCondition:
    """Sequences whose length in the table by tolerance lies in a range; if both ends are open, all of the table."""
    tolerance = 0.0 if members.get("tolerance") is None else _number(members, "tolerance")
    if tolerance not in (0.0, *PAPER_TOLERANCES):
        raise _wrong("tolerance", f"null or one of {', '.join(map(str, PAPER_TOLERANCES))}", tolerance)
    inside = _between("length", members)
    return RowCondition(
        f"{_EXPLAINED} AND id IN (SELECT id FROM {length_rows(rows)} "
        f"WHERE tolerance = ? AND length IS NOT NULL AND {inside.text})",
        (tolerance, *inside.values),
    )


def _rows(_: Cohort, members: Mapping[str, Any]) -> RowCondition:
    held = members.get("rows")
    if not isinstance(held, list) or len(held) > MOST_ROWS or not all(type(each) is int for each in held):
        raise bad_request("MEMBERS_INVALID", f"rows is a list of at most {MOST_ROWS} whole numbers", "rows")
    return RowCondition("list_contains(?::BIGINT[], row)", (held,))


def _every(rows: Cohort, members: Mapping[str, Any]) -> RowCondition:
    held = members.get("of")
    if not isinstance(held, list) or not 1 <= len(held) <= MOST_PARTS:
        raise bad_request("MEMBERS_INVALID", f"of is a list of 1 to {MOST_PARTS} predicates", "of")
    parts = []
    for each in held:
        if not isinstance(each, Mapping) or each.get("kind") == "every":
            raise bad_request(
                "MEMBERS_INVALID", "of has an item that is not a predicate, or that is another list", "of"
            )
        parts.append(condition_of(rows, each))
    text = " AND ".join(f"({each.text})" for each in parts)
    return RowCondition(text, tuple(value for each in parts for value in each.values))


_CONDITIONS: Mapping[str, Callable[[Cohort, Mapping[str, Any]], RowCondition]] = {
    "all": _all,
    "event_bin": _event_bin,
    "feature_bin": _feature_bin,
    "score_bin": _score_bin,
    "first_positive": _first_positive,
    "group": _group,
    "label": _label,
    "period": _period,
    "status": _status,
    "failure": _failure,
    "warning": _warning,
    "verdict": _verdict,
    "pruned_length": _pruned_length,
    "rows": _rows,
    "every": _every,
}


def _between(value: str, members: Mapping[str, Any]) -> RowCondition:
    """A range with its low end and without its high end; an end that is null is open."""
    ends = (("low", ">="), ("high", "<"))
    given = [(sign, _number(members, name)) for name, sign in ends if members.get(name) is not None]
    text = " AND ".join(f"{value} {sign} ?" for sign, _ in given)
    return RowCondition(text or "true", tuple(number for _, number in given))


def _text(members: Mapping[str, Any], field: str) -> str:
    held = members.get(field)
    if not isinstance(held, str):
        raise _wrong(field, "a text", held)
    return held


def _whole(members: Mapping[str, Any], field: str) -> int:
    held = members.get(field)
    if isinstance(held, bool) or not isinstance(held, int) or abs(held) >= 2**31:
        raise _wrong(field, "a whole number", held)
    return held


def _number(members: Mapping[str, Any], field: str) -> float:
    held = members.get(field)
    if isinstance(held, bool) or not isinstance(held, int | float) or not isfinite(held):
        raise _wrong(field, "a number", held)
    return float(held)


def _wrong(field: str, wanted: str, held: Any) -> ApiError:
    return bad_request("MEMBERS_INVALID", f"{field} is {str(held)[:80]!r}; it must be {wanted}", field)
