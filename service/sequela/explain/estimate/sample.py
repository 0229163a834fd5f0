"""The sample of one game: which pairs of coalitions are evaluated, stage by stage, and what their values were."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.estimate.solvers import SOLVERS, USUAL
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.options import Estimator
from sequela.timeshap.coalitions import Portion, allocation, pairs_of, portions, strata
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution

MOST_MEMBERSHIPS = 1 << 25
"""Coalitions times players held at a time, a byte each."""
ASIDE = 1 << 17
"""Memberships from which on it pays to draw them in another thread."""
LONGEST_SOLVING = 0.5
"""Of the time left, what may be kept for solving; where an estimator may take longer, the base estimator solves."""


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A portion's pairs, the named sides, (k, players)."""

    portion: Portion
    pairs: NDArray[np.bool_]


class Sample:
    """The pairs evaluated so far: for each stratum the odd parts (k_s, targets) of its first k_s pairs.

    sizes: those of the stages that it may grow by. until: when it must stop, on the monotonic clock. clipped: how many
    of its coalitions the link clipped. estimator: the one that was asked for. farthest: see `Solver`.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        players: Players,
        targets: int,
        sizes: tuple[int, ...],
        seed: int,
        until: float,
        estimator: Estimator,
    ) -> None:
        self.players = players
        self.size = self.clipped = 0
        self.estimator = estimator
        self._evaluator, self._until = evaluator, until
        self._layers = strata(len(players))
        self._sampler = pairs_of(len(players), sizes, seed)
        self._odd = [np.empty((0, targets)) for _ in self._layers]
        self._ahead: _Drawn | None = None

    @property
    def farthest(self) -> float:
        """See `Solver`."""
        return SOLVERS[self.estimator].farthest

    def grow(self, size: int, following: int | None) -> None:
        """Evaluates what a design of `size` coalitions adds, as long as time to solve it is left.

        What the `following` size adds is drawn meanwhile. After TimeUp the sample stands as it stood before.
        """
        counts = allocation(len(self.players), size)
        until, clipped = self._until - self._kept(sum(counts)), self._evaluator.clipped
        fresh: list[list[NDArray[np.float64]]] = [[odd] for odd in self._odd]
        *earlier, last = portions([len(odd) for odd in self._odd], counts, self._most)
        for portion in earlier:
            self._evaluate(self._drawn(portion), until, fresh)
        drawn = self._drawn(last)
        with self._drawn_meanwhile(counts, following):
            self._evaluate(drawn, until, fresh)
        self._odd = [np.concatenate(parts) for parts in fresh]
        self.size = size
        self.clipped += self._evaluator.clipped - clipped

    def solve(self, gain: NDArray[np.float64]) -> tuple[Solution, Estimator]:
        """The stage last grown to, solved, and by which estimator: the base one where time suffices for no other."""
        usual = USUAL * SOLVERS[self.estimator].seconds(len(self.players), sum(map(len, self._odd)))
        in_time = usual <= self._until - self._evaluator.deadline.now()
        used = self.estimator if in_time else Estimator.REGRESSION
        share = self._evaluator.caller.share
        return SOLVERS[used].solve(self._sampler, self._layers, self._odd, gain, share), used

    def _kept(self, pairs: int) -> float:
        """Seconds kept for solving a stage of so many pairs."""
        left = self._until - self._evaluator.deadline.now()
        asked, base = (
            SOLVERS[each].seconds(len(self.players), pairs) for each in (self.estimator, Estimator.REGRESSION)
        )
        return asked if asked <= LONGEST_SOLVING * left else base

    def _evaluate(self, drawn: _Drawn, until: float, fresh: Sequence[list[NDArray[np.float64]]]) -> None:
        pairs = drawn.pairs
        values = self._evaluator.values(self.players, np.concatenate([pairs, ~pairs]), until)
        odd = (values[: len(pairs)] - values[len(pairs) :]) / 2
        edges = np.cumsum([stop - start for _, start, stop in drawn.portion])[:-1]
        for (stratum, _, _), part in zip(drawn.portion, np.split(odd, edges), strict=True):
            fresh[stratum].append(part)

    def _drawn(self, portion: Portion) -> _Drawn:
        """Raises TimeUp and Cancelled, looked at between strata."""
        ahead, self._ahead = self._ahead, None
        if ahead and ahead.portion == portion:
            return ahead
        parts = []
        for part in portion:
            self._evaluator.deadline.check(self._until)
            parts.append(self._sampler.pairs(*part))
        return _Drawn(portion, np.concatenate(parts))

    def _drawn_meanwhile(self, counts: Sequence[int], size: int | None) -> AbstractContextManager[None]:
        if size is None:
            return nullcontext()
        upcoming = next(portions(counts, allocation(len(self.players), size), self._most))
        if sum(stop - start for _, start, stop in upcoming) * len(self.players) < ASIDE:
            return nullcontext()

        def draw() -> None:
            with suppress(DeadlinePassed):  # it is this stage's values that count
                self._ahead = self._drawn(upcoming)

        return self._evaluator.caller.aside(draw)

    @property
    def _most(self) -> int:
        """Pairs held at a time: many share more, but they take room."""
        return max(MOST_MEMBERSHIPS // (2 * len(self.players)), 1)
