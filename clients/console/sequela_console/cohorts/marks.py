"""The events behind a cell of the matrix grid or an edge of a graph, found in the table that the browser counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_console.cohorts.event_columns import WEIGHT_MAXIMUM
from sequela_console.cohorts.event_table import EventTable
from sequela_console.http.errors import bad_request

_CLASSES = {"positive": (1,), "negative": (0,), "both": (0, 1)}
_INVALID = "MEMBERS_INVALID"


@dataclass(frozen=True, slots=True)
class MarkedSequences:
    """Sequences behind a mark.

    Args:
        sequences: their numbers in the table of events, ascending.
        events: how many of their events are behind a cell; None for an edge, which a sequence has once.
    """

    sequences: NDArray[np.int64]
    events: int | None


def cell_members(table: EventTable, members: Mapping[str, Any], variant: str | None) -> MarkedSequences:
    """Returns the sequences of a cell of a matrix: those with a selected event that has both levels."""
    chosen = _selected(table, members, variant)
    pair, levels = _numbers(members, "pair", 2), _numbers(members, "levels", 2)
    for attribute, level in zip(pair, levels, strict=True):
        chosen &= _has_level(table, attribute, level)
    return MarkedSequences(np.unique(table.events.sequences[chosen]), int(np.count_nonzero(chosen)))


def edge_members(table: EventTable, members: Mapping[str, Any], variant: str | None) -> MarkedSequences:
    """Returns the sequences of an edge: those with a selected event at each of its two ends."""
    chosen = _selected(table, members, variant)
    attributes = _numbers(members, "attributes", None)
    ends = [_at_end(table, chosen, attributes, members.get(name), name) for name in ("from", "to")]
    first, second = (table.events.sequences[each] for each in ends)
    return MarkedSequences(np.intersect1d(first, second), None)


def _at_end(
    table: EventTable, chosen: NDArray[np.bool_], attributes: Sequence[int], end: Any, field: str
) -> NDArray[np.bool_]:
    if not isinstance(end, Mapping):
        raise bad_request(_INVALID, f"{field} has a step and levels", field)
    levels = _numbers(end, "levels", len(attributes))
    step = _numbers({"step": [end.get("step")]}, "step", 1)[0]
    found: NDArray[np.bool_] = chosen & (table.events.steps == step)
    for attribute, level in zip(attributes, levels, strict=True):
        found &= _has_level(table, attribute, level)
    return found


def _selected(table: EventTable, members: Mapping[str, Any], variant: str | None) -> NDArray[np.bool_]:
    """Returns for each event whether it is of the class, weights and steps that are shown."""
    low, high = _range(members, "weights", (0.0, 1.0))
    first, last = _range(members, "steps", (0, table.steps - 1))
    events, weights = table.events, table.events.weights.astype(np.int64)
    # The ends are rounded as the weights are, and both belong to the range.
    found = (weights >= scaled(low)) & (weights <= scaled(high))
    found &= (events.steps >= first) & (events.steps <= last)
    wanted = np.isin(table.table.classes, _class(members))
    if variant is not None:
        wanted &= table.table.variants == _variant_number(table, variant)
    selected: NDArray[np.bool_] = found & wanted[events.sequences]
    return selected


def scaled(weight: float) -> int:
    """Returns a weight from 0 to 1 as a whole number; halves go up, as in browsers."""
    return int(np.floor(weight * WEIGHT_MAXIMUM + 0.5))


def _class(members: Mapping[str, Any]) -> tuple[int, ...]:
    held = members.get("class", "both")
    if held not in _CLASSES:
        raise bad_request(
            _INVALID, f"class is {str(held)[:80]!r}; allowed is positive, negative or both", "class"
        )
    return _CLASSES[held]


def _variant_number(table: EventTable, variant: str) -> int:
    if variant not in table.spec.variants:
        raise bad_request(_INVALID, f"the spec has no variant {variant[:80]!r}", "variant")
    return table.spec.variants.index(variant)


def _has_level(table: EventTable, attribute: int, level: int) -> NDArray[np.bool_]:
    if not 0 <= attribute < len(table.attributes):
        raise bad_request(_INVALID, f"there is no attribute number {attribute}", "pair")
    found: NDArray[np.bool_] = table.levels[attribute] == level
    return found


def _numbers(members: Mapping[str, Any], field: str, count: int | None) -> list[int]:
    held = members.get(field)
    allowed = (1, 2) if count is None else (count,)
    if isinstance(held, list) and len(held) in allowed and all(type(each) is int for each in held):
        return list(map(int, held))
    wanted = " or ".join(map(str, allowed))
    raise bad_request(_INVALID, f"{field} is a list of {wanted} whole numbers", field)


def _range(members: Mapping[str, Any], field: str, otherwise: tuple[float, float]) -> tuple[float, float]:
    match members.get(field, otherwise):
        case [int() | float() as low, int() | float() as high]:
            return low, high
        case (int() | float() as low, int() | float() as high):
            return low, high
    raise bad_request(_INVALID, f"{field} is a list of two numbers", field)
