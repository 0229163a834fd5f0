"""The sample of one game: which pairs of coalitions are evaluated, stage by stage, and what their values were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.evaluating import Evaluator
from sequela.timeshap.coalitions import allocation, pairs_of, strata
from sequela.timeshap.players import Players
from sequela.timeshap.solving import Solution, solve

MOST_MEMBERSHIPS = 1 << 25
"""Coalitions times players held at a time, a byte each."""
SOLVING_SPEED = 5e9
"""Multiply-adds a second that solving reaches at least; only deadlines depend on it, never an answer."""

Slab = list[tuple[int, int, int]]
"""Pairs as (stratum, start, stop)."""


class Sample:
    """The pairs evaluated so far: for each stratum the odd parts (k_s, targets) of its first k_s pairs.

    budget: the most it grows to. until: when it must stop, on the monotonic clock.
    """

    def __init__(
        self, evaluator: Evaluator, players: Players, targets: int, budget: int, seed: int, until: float
    ) -> None:
        self.players = players
        self.size = 0
        self._evaluator, self._until = evaluator, until
        self._layers = strata(len(players))
        self._sampler = pairs_of(len(players), budget, seed)
        self._odd = [np.empty((0, targets)) for _ in self._layers]
        self._ahead: tuple[Slab, NDArray[np.bool_]] = ([], np.empty((0, 0), dtype=np.bool_))

    def grow(self, size: int, following: int | None) -> None:
        """Evaluates what a design of `size` coalitions adds, as long as time to solve it is left.

        What the `following` size adds is drawn meanwhile. After TimeUp the sample stands as it stood before.
        """
        counts = allocation(len(self.players), size)
        until = self._until - _solving_seconds(len(self.players), sum(counts))
        have = [len(odd) for odd in self._odd]
        fresh: list[list[NDArray[np.float64]]] = [[] for _ in self._layers]
        *earlier, last = _slabs(have, counts, len(self.players))
        for slab in earlier:
            _sort(slab, self._odd_parts(self._drawn(slab), until), fresh)
        pairs = self._drawn(last)
        with self._drawn_meanwhile(counts, following):
            _sort(last, self._odd_parts(pairs, until), fresh)
        self._odd = [np.concatenate([old, *new]) for old, new in zip(self._odd, fresh, strict=True)]
        self._counts, self.size = counts, size

    def solve(self, gain: NDArray[np.float64]) -> Solution:
        """Solves the stage last grown to."""
        odd = [values[:count] for values, count in zip(self._odd, self._counts, strict=True)]
        return solve(self._sampler, self._layers, odd, gain, self._evaluator.share)

    def _odd_parts(self, pairs: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        values = self._evaluator.values(self.players, np.concatenate([pairs, ~pairs]), until)
        return (values[: len(pairs)] - values[len(pairs) :]) / 2

    def _drawn(self, slab: Slab) -> NDArray[np.bool_]:
        ahead, pairs = self._ahead
        if ahead != slab:
            pairs = np.concatenate([self._sampler.pairs(*part) for part in slab])
        self._ahead = ([], np.empty((0, 0), dtype=np.bool_))
        return pairs

    def _drawn_meanwhile(self, counts: Sequence[int], size: int | None) -> AbstractContextManager[None]:
        if size is None:
            return nullcontext()
        slab = next(_slabs(counts, allocation(len(self.players), size), len(self.players)))

        def draw() -> None:
            self._ahead = (slab, np.concatenate([self._sampler.pairs(*part) for part in slab]))

        return self._evaluator.aside(draw)


def _slabs(have: Sequence[int], counts: Sequence[int], players: int) -> Iterator[Slab]:
    """What is missing: all at once lets coalitions share the most, but what is held at a time is bounded."""
    room = most = max(MOST_MEMBERSHIPS // (2 * players), 1)
    slab: Slab = []
    for stratum, (known, count) in enumerate(zip(have, counts, strict=True)):
        start = known
        while start < count:
            stop = min(count, start + room)
            slab.append((stratum, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield slab
                slab, room = [], most
    if slab:
        yield slab


def _sort(slab: Slab, odd: NDArray[np.float64], fresh: Sequence[list[NDArray[np.float64]]]) -> None:
    """Puts a slab's values where their strata are."""
    edges = np.cumsum([stop - start for _, start, stop in slab])[:-1]
    for (stratum, _, _), part in zip(slab, np.split(odd, edges), strict=True):
        fresh[stratum].append(part)


def _solving_seconds(players: int, pairs: int) -> float:
    """What it takes at most to solve: two passes over the pairs, and a matrix inverted."""
    return (2 * pairs + 2 * players) * players**2 / SOLVING_SPEED
