"""The sample of one game: which pairs of coalitions are evaluated, stage by stage, and what their values were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.evaluating import Evaluator
from sequela.timeshap.coalitions import allocation, pairs_of, strata
from sequela.timeshap.players import Players
from sequela.timeshap.solving import Solution, solve

MOST_MEMBERSHIPS = 1 << 24
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

    def grow(self, size: int, following: int | None) -> None:
        """Evaluates what a design of `size` coalitions adds, as long as time to solve it is left.

        The pairs of the `following` stage are drawn meanwhile. After TimeUp the sample stands as it stood before.
        """
        counts = allocation(len(self.players), size)
        until = self._until - _solving_seconds(len(self.players), sum(counts))
        fresh: list[list[NDArray[np.float64]]] = [[] for _ in self._layers]
        slabs = list(self._slabs(counts))
        for slab in slabs:
            pairs = np.concatenate([self._sampler.pairs(*part) for part in slab])
            with self._drawn_meanwhile(following if slab is slabs[-1] else None):
                odd = self._odd_parts(pairs, until)
            edges = np.cumsum([stop - start for _, start, stop in slab])[:-1]
            for (stratum, _, _), part in zip(slab, np.split(odd, edges), strict=True):
                fresh[stratum].append(part)
        self._odd = [np.concatenate([old, *new]) for old, new in zip(self._odd, fresh, strict=True)]
        self._counts, self.size = counts, size

    def solve(self, gain: NDArray[np.float64]) -> Solution:
        """Solves the stage last grown to."""
        odd = [values[:count] for values, count in zip(self._odd, self._counts, strict=True)]
        return solve(self._sampler, self._layers, odd, gain)

    def _odd_parts(self, pairs: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        values = self._evaluator.values(self.players, np.concatenate([pairs, ~pairs]), until)
        return (values[: len(pairs)] - values[len(pairs) :]) / 2

    def _drawn_meanwhile(self, size: int | None) -> AbstractContextManager[None]:
        if size is None:
            return nullcontext()
        return self._evaluator.aside(partial(self._sampler.draw, allocation(len(self.players), size)))

    def _slabs(self, counts: tuple[int, ...]) -> Iterator[Slab]:
        """What is missing: all at once lets coalitions share the most, but what is held at a time is bounded."""
        room = most = max(MOST_MEMBERSHIPS // (2 * len(self.players)), 1)
        slab: Slab = []
        for stratum, (odd, count) in enumerate(zip(self._odd, counts, strict=True)):
            start = len(odd)
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


def _solving_seconds(players: int, pairs: int) -> float:
    """What it takes at most to solve: two passes over the pairs, and a matrix inverted."""
    return (2 * pairs + 2 * players) * players**2 / SOLVING_SPEED
