"""Finds coalitions that share a prefix, for models that run forward over events from states.

The oldest event comes first. A player appears at the first event in which it owns a cell. Coalitions that agree on
all players that have appeared so far have the same states, so the events up to there are run once for all of them.
Levels differ only in when their players appear, so the same tree works for all of them. All 2^m coalitions of m events
need 2^(m+1) - 2 steps instead of m·2^m, and the pruned block has two states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.players import Players

CALL_COST = 96
"""The cost of one more call of a large model, in units of running one row over one event."""
SHORT_WORD, LONG_WORD = 16, 32
"""The sizes in bits of the words that coalitions are packed into to be sorted."""
CARRY_COST = 0.25
"""The cost of passing the states of one row from one call to the next, in the same units."""


@dataclass(frozen=True, slots=True, eq=False)
class PlayerOrder:
    """The order in which players appear.

    Attributes:
        order: The players that appear, (p,). Players that own no cell of the events to run are omitted, because they
            do not change the outputs.
        events: The event at which each of them appears, (p,), ascending.
        stop: The number of events that are run.
        begins: The events at which players appear, ascending, except event 0, each with the number of players that
            appeared before it. A step may start at any of them.
    """

    order: NDArray[np.intp]
    events: NDArray[np.intp]
    stop: int
    begins: tuple[tuple[int, int], ...]


def player_order(players: Players, stop: int, static_enters: Sequence[bool]) -> PlayerOrder:
    """Returns when players appear among the events 0 … stop - 1.

    Args:
        players: All players, with the map from cells to them.
        stop: The number of events that are run.
        static_enters: For each static input, whether it affects the states. If so, it counts as part of event 0;
            if it only affects the output, it counts as part of the last event.
    """
    first = np.full(len(players), stop, dtype=np.intp)
    # Assign from the last event to the first, so that the oldest event of each player overwrites the others.
    grid = players.grid[:stop]
    # An event with the same owners as the one before it, such as a pruned one, is not the first of any player.
    differing = (grid[1:] != grid[:-1]).any(axis=1).nonzero()[0] + 1
    events = np.append(differing[::-1], 0)
    first[grid.take(events, axis=0)] = events[:, None]
    for owner, enters in zip(players.static, static_enters, strict=True):
        first[owner] = min(first[owner], 0 if enters else stop - 1)
    order = np.argsort(first, kind="stable")
    order = order[first[order] < stop]
    appearances = first[order]
    # Every cell has an owner, so the first player always appears at event 0.
    later = enumerate(pairwise(appearances.tolist()), start=1)
    begins = tuple((event, appeared) for appeared, (before, event) in later if event > before)
    return PlayerOrder(order, appearances, stop, begins)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The events start … stop - 1, run once for each class of coalitions that agree up to `stop`.

    Attributes:
        start: The first event.
        stop: The event after the last one.
        rows: One coalition of each class, (classes,).
        parents: The class to which each class belonged in the step before, (classes,).
    """

    start: int
    stop: int
    rows: NDArray[np.intp]
    parents: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class PrefixTree:
    """The steps from the first event to the last, for some of the coalitions.

    Attributes:
        steps: The steps in the order of events. A class of one step is the parent of one or more classes of the next.
        coalitions: The row numbers of the coalitions, (k,).
        leaves: The class of each coalition in the last step, (k,).
    """

    steps: tuple[Step, ...]
    coalitions: NDArray[np.intp]
    leaves: NDArray[np.intp]


def prefix_trees(
    order: PlayerOrder, coalitions: NDArray[np.bool_], most: int, call_cost: float = CALL_COST
) -> Iterator[PrefixTree]:
    """Yields trees for coalitions, with long common prefixes in the same tree. All steps cover the same events.

    Args:
        order: When players appear.
        coalitions: The coalitions, (n, players).
        most: The largest number of coalitions in one tree.
        call_cost: The cost of one more call of the model, in units of running one row over one event.
    """
    rows, changes = _sort(coalitions, order.order[: _distinguishing(order, coalitions.shape[1])])
    ranges = _step_ranges(order, changes, call_cost)
    for start in range(0, len(rows), most):
        part = slice(start, start + most)
        yield _tree(ranges, rows[part], changes[part])


def _distinguishing(order: PlayerOrder, players: int) -> int:
    """Returns how many of the players, in order, are needed to distinguish coalitions while they share states.

    Players that appear at the last event are not needed, because all coalitions differ. But if some players never
    appear, coalitions may be equal in all others, so all players that appear are needed.
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
    """Returns the tree of sorted coalitions.

    Args:
        ranges: The events of the steps.
        rows: The coalitions, sorted.
        changes: The first player in which each coalition differs from the one before it.
    """
    steps = []
    parents = np.zeros(len(rows), dtype=np.intp)
    for each in ranges:
        # A new class starts at each coalition that differs from the previous one in a player that has appeared.
        begins = changes < each.appeared
        begins[0] = True
        first = begins.nonzero()[0]
        steps.append(Step(each.start, each.stop, rows.take(first), parents.take(first)))
        parents = begins.cumsum() - 1
    return PrefixTree(tuple(steps), rows, parents)


def _sort(
    coalitions: NDArray[np.bool_], players: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Sorts coalitions lexicographically by some players (p,).

    Returns:
        The row numbers in this order, and for each coalition the first player in which it differs from the previous
        one: 0 for the first coalition, and p if it equals the previous one.
    """
    n, p = len(coalitions), len(players)
    words = _words(coalitions, players)
    rows = words[0].argsort(kind="stable") if len(words) == 1 else np.lexsort(words[::-1])
    changes = np.full(n, p, dtype=np.intp)
    changes[0] = 0
    # Go from the last word to the first, so that the first word that differs overwrites the others.
    for index in range(len(words) - 1, -1, -1):
        ordered = words[index].take(rows)
        differing = ordered[1:] ^ ordered[:-1]
        # The exponent of a number is the position of its highest bit. Words are short enough to be exact as floats.
        exponents = np.frexp(differing)[1]
        places = 8 * ordered.itemsize * (index + 1) - exponents
        np.copyto(changes[1:], places, where=exponents > 0)
    return rows, changes


def _words(
    coalitions: NDArray[np.bool_], players: NDArray[np.intp]
) -> list[NDArray[np.unsignedinteger[Any]]]:
    """Packs some players (p,) of coalitions into words, at least one, with the first player in the highest bit."""
    n, p = len(coalitions), len(players)
    if p <= LONG_WORD:
        # numpy sorts words of 16 bits several times faster than longer ones.
        size = SHORT_WORD if p <= SHORT_WORD else LONG_WORD
        weights = np.zeros(coalitions.shape[1])
        weights[players] = np.ldexp(1.0, np.arange(size - 1, size - 1 - p, -1))
        # A sum of different powers of two up to 2^31 is exact, and a product is faster than packing bits.
        return [(coalitions @ weights).astype(f"u{size // 8}")]
    packed = np.zeros((n, -(-p // LONG_WORD) * 4), dtype=np.uint8)
    packed[:, : -(-p // 8)] = np.packbits(coalitions.take(players, axis=1), axis=1)
    return list(packed.view(">u4").astype("u4").T)


def _step_ranges(order: PlayerOrder, changes: NDArray[np.intp], call_cost: float) -> list[_StepRange]:
    """Returns the events of each step.

    A step ends at an event if enough coalitions still share their states there, so that one more call costs less than
    running the shared events once for each of them.
    """
    players = len(order.order)
    # counts[p]: the classes of coalitions that differ in the first p + 1 players. The few numbers that follow are
    # handled faster one by one than as arrays.
    counts = np.bincount(changes, minlength=players + 1).cumsum().tolist()
    many = counts[players - 1] if players else 1
    begins = _splitting(order, counts, many)
    edges = [(order.stop, players)]
    # Go from the last event to the first, so that the number of classes at the end of each step is known.
    for (event, appeared), (before, _) in pairwise([*begins, (0, 0)]):
        shared = counts[appeared - 1]
        # Without a cut here, the events since the previous begin would be run for `many` classes, not for `shared`.
        if (event - before) * (many - shared) > call_cost + CARRY_COST * shared:
            edges.append((event, appeared))
            many = shared
    edges.append((0, 0))
    return [_StepRange(start, stop, seen) for (stop, seen), (start, _) in reversed(list(pairwise(edges)))]


def _splitting(order: PlayerOrder, counts: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Returns the begins of `order` at which the number of classes grows, latest first."""
    splitting = []
    following = most
    for event, appeared in reversed(order.begins):
        if following > counts[appeared - 1]:
            splitting.append((event, appeared))
        following = counts[appeared - 1]
    return splitting
