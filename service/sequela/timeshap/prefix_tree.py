"""Which coalitions share a past, for models that run forward over events from states.

The oldest event comes first. A player is met at the first event where it owns a cell; two coalitions that agree
on every player met so far share the states there, so what they share is run once. Events, history blocks,
features and cells differ only in when their players are met: one plan serves them all. All 2^m coalitions of m
events need 2^(m+1) - 2 steps instead of m·2^m, and the pruned block is two states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.players import Players

CALL_ROWS = 96
"""What beginning another call costs, in rows run over one event."""
CARRIED = 0.25
"""What it costs to carry one row's states from call to call, likewise."""


@dataclass(frozen=True, slots=True, eq=False)
class Meetings:
    """The order in which events meet players.

    order: the players met, first met first, (p,). events: where each of them is met, (p,), ascending. Players
    that own nothing within the `stop` events run are left out: they change nothing.
    """

    order: NDArray[np.intp]
    events: NDArray[np.intp]
    stop: int


def meetings(players: Players, stop: int, static_enters: Sequence[bool]) -> Meetings:
    """When events 0 … stop - 1 meet the players. A static input that enters the states is met at event 0, one
    that reaches the output alone at the last event.
    """
    first = np.full(len(players), stop, dtype=np.intp)
    # From the last event back, so that the first one has the last word.
    backward = players.grid[:stop][::-1]
    first[backward] = np.arange(stop - 1, -1, -1, dtype=np.intp)[:, None]
    for owner, enters in zip(players.static, static_enters, strict=True):
        first[owner] = min(first[owner], 0 if enters else stop - 1)
    order = np.argsort(first, kind="stable")
    order = order[first[order] < stop]
    return Meetings(order, first[order], stop)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Events start … stop - 1, run once for each class of coalitions that agree up to there.

    rows: one coalition of each class, (classes,). parents: the class it had in the step before, (classes,).
    """

    start: int
    stop: int
    rows: NDArray[np.intp]
    parents: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Steps from the first event to the last for some of the coalitions.

    coalitions: which ones, (k,). leaves: the class that each of them has in the last step, (k,).
    """

    steps: tuple[Step, ...]
    coalitions: NDArray[np.intp]
    leaves: NDArray[np.intp]


def walks(met: Meetings, coalitions: NDArray[np.bool_], most: int) -> Iterator[Walk]:
    """The steps that coalitions (n, players) need, at most `most` coalitions a walk.

    Where steps begin is decided once for all of them; coalitions that share much are in one walk.
    """
    order, changes = _sorted(coalitions[:, met.order[: _telling(met, coalitions.shape[1])]])
    bounds = _bounds(met, changes)
    for start in range(0, len(order), most):
        part = slice(start, start + most)
        yield _walk(bounds, order[part], changes[part])


def _telling(met: Meetings, players: int) -> int:
    """How many of the players met tell coalitions apart for as long as they share anything.

    Those met last do not, every coalition being different; unless some are never met, so that coalitions may
    come to the same.
    """
    if len(met.order) < players:
        return len(met.order)
    return int(np.searchsorted(met.events, met.events[-1]))


@dataclass(frozen=True, slots=True)
class _Bound:
    """A step's events, and how many players are met by its end."""

    start: int
    stop: int
    met: int


def _walk(bounds: Sequence[_Bound], order: NDArray[np.intp], changes: NDArray[np.intp]) -> Walk:
    """changes: where each coalition first differs from the one before it; the first of a walk begins every class."""
    steps = []
    above = np.zeros(len(order), dtype=np.intp)
    for bound in bounds:
        begins = changes < bound.met
        begins[0] = True
        at = np.flatnonzero(begins)
        steps.append(Step(bound.start, bound.stop, order[at], above[at]))
        above = np.cumsum(begins) - 1
    return Walk(tuple(steps), order, above)


def _sorted(seen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Coalitions (n, p) in lexicographic order, and the first player in which each differs from the one before it;
    p for one that is the same.
    """
    n, p = seen.shape
    words = _words(seen)
    order = np.argsort(words[0], kind="stable") if len(words) == 1 else np.lexsort(words[::-1])
    changes = np.full(n, p, dtype=np.intp)
    changes[0] = 0
    for index in range(len(words) - 1, -1, -1):
        ordered = words[index][order]
        differing = ordered[1:] ^ ordered[:-1]
        places = 64 * index + _leading_zeros(differing)
        changes[1:] = np.where(differing != 0, places, changes[1:])
    return order, changes


def _words(seen: NDArray[np.bool_]) -> list[NDArray[np.uint64]]:
    """The same as numbers of 64 players each, the first player in the highest bit; at least one number."""
    n, p = seen.shape
    width = max(-(-p // 64), 1) * 8
    packed = np.zeros((n, width), dtype=np.uint8)
    packed[:, : -(-p // 8)] = np.packbits(seen, axis=1)
    return list(packed.view(">u8").astype(np.uint64).T)


def _leading_zeros(words: NDArray[np.uint64]) -> NDArray[np.intp]:
    filled = words.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        filled |= filled >> np.uint64(shift)
    return 64 - np.bitwise_count(filled).astype(np.intp)


def _bounds(met: Meetings, changes: NDArray[np.intp]) -> list[_Bound]:
    """Where steps begin: behind every event where so many coalitions still share their states that another call
    is cheaper than running what they share once for each of them.

    From the last event back, so that a step's classes, those at its end, are known.
    """
    counts = np.cumsum(np.bincount(changes, minlength=len(met.order) + 1))
    # Players met at the same event are met together; a step may begin at any event that meets somebody.
    begins = np.unique(met.events[met.events > 0])
    known = np.searchsorted(met.events, begins)
    classes = counts[known - 1] if len(known) else known
    many = int(counts[len(met.order) - 1]) if len(met.order) else 1
    splitting = np.append(classes[1:], many)[: len(classes)] > classes
    begins, known, classes = begins[splitting], known[splitting], classes[splitting]
    older = np.append(0, begins)[:-1]
    cuts: list[tuple[int, int]] = []
    for event, before, shared, seen in zip(
        begins[::-1], older[::-1], classes[::-1], known[::-1], strict=True
    ):
        # Merged, the events since the cut before would be run for `many` classes instead of `shared`.
        if (event - before) * (many - shared) > CALL_ROWS + CARRIED * shared:
            cuts.append((int(event), int(seen)))
            many = int(shared)
    edges = [(0, 0), *reversed(cuts), (met.stop, len(met.order))]
    return [_Bound(start, stop, seen) for (start, _), (stop, seen) in pairwise(edges)]
