"""Which coalitions share a prefix, for models that run forward over events from states.

The oldest event comes first. A player appears at the first event in which it owns a cell. Coalitions that agree on
every player that has appeared so far have the same states there, so these events are run once for all of them. Events,
history blocks, features and cells differ only in when their players appear, so one tree serves all levels. All 2^m
coalitions of m events need 2^(m+1) - 2 steps instead of m·2^m, and the pruned block has two states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.players import Players

CALL_COST = 96
"""The cost of another call of the model, in rows that are run over one event."""
CARRY_COST = 0.25
"""The cost of passing the states of one row from call to call, in the same unit."""


@dataclass(frozen=True, slots=True, eq=False)
class PlayerOrder:
    """The order in which players appear.

    Attributes:
        order: The players that appear, (p,). Players that own nothing within the events that are run are left out,
            since they change nothing.
        events: The event at which each of them appears, (p,), ascending.
        stop: The number of events that are run.
    """

    order: NDArray[np.intp]
    events: NDArray[np.intp]
    stop: int


def player_order(players: Players, stop: int, static_enters: Sequence[bool]) -> PlayerOrder:
    """When players appear among the events 0 … stop - 1.

    Args:
        players: All players, with the map from cells to them.
        stop: The number of events that are run.
        static_enters: For each static input, whether it reaches the states. Such a static input counts as part of
            event 0; one that reaches the output alone counts as part of the last event.
    """
    first = np.full(len(players), stop, dtype=np.intp)
    # Assigned from the last event back, so that the oldest event of each player is the one that stays.
    backward = players.grid[:stop][::-1]
    first[backward] = np.arange(stop - 1, -1, -1, dtype=np.intp)[:, None]
    for owner, enters in zip(players.static, static_enters, strict=True):
        first[owner] = min(first[owner], 0 if enters else stop - 1)
    order = np.argsort(first, kind="stable")
    order = order[first[order] < stop]
    return PlayerOrder(order, first[order], stop)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The events start … stop - 1, run once for each class of coalitions that agree up to `stop`.

    Attributes:
        start: The first event.
        stop: The event after the last one.
        rows: One coalition of each class, (classes,).
        parents: The class that it belonged to in the step before, (classes,).
    """

    start: int
    stop: int
    rows: NDArray[np.intp]
    parents: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class PrefixTree:
    """The steps from the first event to the last, for some of the coalitions.

    Attributes:
        steps: In the order of events. A class of one step is the parent of one or more classes of the next.
        coalitions: The rows of the coalitions, (k,).
        leaves: The class of each of them in the last step, (k,).
    """

    steps: tuple[Step, ...]
    coalitions: NDArray[np.intp]
    leaves: NDArray[np.intp]


def prefix_trees(order: PlayerOrder, coalitions: NDArray[np.bool_], most: int) -> Iterator[PrefixTree]:
    """The trees for coalitions (n, players), with at most `most` coalitions each.

    Coalitions that share much are in the same tree. All trees have steps over the same events.
    """
    seen = coalitions[:, order.order[: _distinguishing(order, coalitions.shape[1])]]
    rows, changes = _sorted(seen)
    ranges = _step_ranges(order, changes)
    for start in range(0, len(rows), most):
        part = slice(start, start + most)
        yield _tree(ranges, rows[part], changes[part])


def _distinguishing(order: PlayerOrder, players: int) -> int:
    """How many of the players, in order, are needed to tell coalitions apart for as long as they share anything.

    Those that appear at the last event are not needed, because all coalitions differ. If some players never appear,
    coalitions may be equal in all others, so then all that appear are needed.
    """
    if len(order.order) < players:
        return len(order.order)
    return int(np.searchsorted(order.events, order.events[-1]))


@dataclass(frozen=True, slots=True)
class _StepRange:
    """The events of a step, and how many players have appeared by its end."""

    start: int
    stop: int
    appeared: int


def _tree(ranges: Sequence[_StepRange], rows: NDArray[np.intp], changes: NDArray[np.intp]) -> PrefixTree:
    """The tree of sorted coalitions.

    Args:
        ranges: The events of the steps.
        rows: The coalitions, sorted.
        changes: The first player in which each of them differs from the one before it.
    """
    steps = []
    parents = np.zeros(len(rows), dtype=np.intp)
    for each in ranges:
        # A new class begins at each coalition that differs from the one before in a player that has appeared.
        begins = changes < each.appeared
        begins[0] = True
        first = np.flatnonzero(begins)
        steps.append(Step(each.start, each.stop, rows[first], parents[first]))
        parents = np.cumsum(begins) - 1
    return PrefixTree(tuple(steps), rows, parents)


def _sorted(seen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Sorts coalitions (n, p) lexicographically.

    Returns:
        Their rows in this order, and for each the first player in which it differs from the one before it: 0 for the
        first coalition, p for one that is equal to the one before.
    """
    n, p = seen.shape
    words = _words(seen)
    rows = np.argsort(words[0], kind="stable") if len(words) == 1 else np.lexsort(words[::-1])
    changes = np.full(n, p, dtype=np.intp)
    changes[0] = 0
    # From the last word back, so that the first word that differs is the one that stays.
    for index in range(len(words) - 1, -1, -1):
        ordered = words[index][rows]
        differing = ordered[1:] ^ ordered[:-1]
        places = 64 * index + _leading_zeros(differing)
        changes[1:] = np.where(differing != 0, places, changes[1:])
    return rows, changes


def _words(seen: NDArray[np.bool_]) -> list[NDArray[np.uint64]]:
    """The coalitions (n, p) as numbers of 64 players each, the first player in the highest bit; at least one number."""
    n, p = seen.shape
    width = max(-(-p // 64), 1) * 8
    packed = np.zeros((n, width), dtype=np.uint8)
    packed[:, : -(-p // 8)] = np.packbits(seen, axis=1)
    return list(packed.view(">u8").astype(np.uint64).T)


def _leading_zeros(words: NDArray[np.uint64]) -> NDArray[np.intp]:
    # Fill every bit below the highest one, so that counting bits gives its place.
    filled = words.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        filled |= filled >> np.uint64(shift)
    return 64 - np.bitwise_count(filled).astype(np.intp)


def _step_ranges(order: PlayerOrder, changes: NDArray[np.intp]) -> list[_StepRange]:
    """The events of each step.

    A step ends where so many coalitions still share their states that another call costs less than running what they
    share once for each of them.
    """
    # counts[p]: the classes of coalitions that differ in the first p + 1 players.
    counts = np.cumsum(np.bincount(changes, minlength=len(order.order) + 1))
    # A step may begin at any event, but the first, at which a player appears.
    begins = np.unique(order.events[order.events > 0])
    appeared = np.searchsorted(order.events, begins)
    classes = counts[appeared - 1] if len(appeared) else appeared
    many = int(counts[len(order.order) - 1]) if len(order.order) else 1
    splitting = np.append(classes[1:], many)[: len(classes)] > classes
    begins, appeared, classes = begins[splitting], appeared[splitting], classes[splitting]
    older = np.append(0, begins)[:-1]
    cuts: list[tuple[int, int]] = []
    # From the last event back, so that the number of classes at the end of a step is known.
    for event, before, shared, seen in zip(
        begins[::-1], older[::-1], classes[::-1], appeared[::-1], strict=True
    ):
        # Without a cut here, the events since the previous begin would be run for `many` classes, not for `shared`.
        if (event - before) * (many - shared) > CALL_COST + CARRY_COST * shared:
            cuts.append((int(event), int(seen)))
            many = int(shared)
    edges = [(0, 0), *reversed(cuts), (order.stop, len(order.order))]
    return [_StepRange(start, stop, seen) for (start, _), (stop, seen) in pairwise(edges)]
