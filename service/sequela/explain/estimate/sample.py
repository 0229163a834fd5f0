"""The sample of one game: which pairs of coalitions have been evaluated, and their odd parts.

The odd part of a pair {S, Sᶜ} is g = (v(S) - v(Sᶜ))/2. Shapley values depend only on the odd parts
(docs/estimator.md, "Which coalitions").
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.estimate.rules import GameRules
from sequela.explain.estimate.solvers import SOLVERS, USUAL
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.options import Estimator
from sequela.explain.tracer import NO_TRACE, GameTrace
from sequela.timeshap.coalitions import Portion, allocation, portions, strata
from sequela.timeshap.pair_order import pairs_of
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution

MAX_MEMBERSHIP_BYTES = 1 << 25
"""Size limit in bytes of the coalitions (n, players) held in memory at once, with one byte per membership."""
MIN_DRAWN_BESIDE = 1 << 17
"""Smallest number of memberships worth drawing in another thread while the model runs."""
MAX_SOLVING_SHARE = 0.5
"""Largest share of the time left that is reserved for solving. If an estimator may need more, the base estimator is
used.
"""


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """The pairs of a portion. `pairs` (k, players) holds the named side of each pair."""

    portion: Portion
    pairs: NDArray[np.bool_]


class Sample:
    """The pairs evaluated so far, as the odd parts (k_s, targets) of the first k_s pairs of each stratum s.

    Args:
        evaluator: Returns the values of coalitions.
        players: The players of the game, at least two.
        targets: The number of targets.
        sizes: The sizes that the sample may grow to, in coalitions, ascending.
        rules: Its seed, deadline and estimator are used.
        trace: Records what was evaluated and solved.

    Attributes:
        estimator: The requested estimator.
        size: The number of coalitions of the last complete stage; 0 before the first stage.
        clipped: How many of these had values that the link clipped.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        players: Players,
        targets: int,
        sizes: tuple[int, ...],
        rules: GameRules,
        trace: GameTrace = NO_TRACE,
    ) -> None:
        self.players = players
        self.size = self.clipped = 0
        self.estimator = rules.estimator
        self._evaluator, self._until, self._trace = evaluator, rules.until, trace
        self._strata = strata(len(players))
        self._sampler = pairs_of(len(players), sizes, rules.seed)
        self._odd = [np.empty((0, targets)) for _ in self._strata]
        self._drawn_ahead: PairBatch | None = None

    @property
    def max_growth(self) -> float:
        """As in `Solver`."""
        return SOLVERS[self.estimator].max_growth

    def grow(self, size: int, following: int | None) -> None:
        """Grows the sample to `size` coalitions by evaluating the ones it does not have yet.

        While the model runs, another thread draws the pairs that a next stage of `following` coalitions would add.

        Raises:
            DeadlinePassed: There is not enough time to evaluate and solve the stage. The sample is then unchanged.
        """
        counts = allocation(len(self.players), size)
        # Values that arrive too late to be solved would be lost, so time to solve is kept back.
        until, clipped = self._until - self._solving_seconds(sum(counts)), self._evaluator.clipped
        parts: list[list[NDArray[np.float64]]] = [[odd] for odd in self._odd]
        # A large stage is evaluated in portions, because memberships and values of all its pairs would need
        # much memory.
        *earlier, last = portions([len(odd) for odd in self._odd], counts, self._max_pairs)
        for portion in earlier:
            self._evaluate(self._draw(portion), until, parts)
        batch = self._draw(last)
        with self._drawing_ahead(counts, following):
            self._evaluate(batch, until, parts)
        # Only now the sample changes, so that after DeadlinePassed it is still the previous stage.
        self._odd = [np.concatenate(each) for each in parts]
        self.size = size
        self.clipped += self._evaluator.clipped - clipped

    def solve(self, gain: NDArray[np.float64]) -> tuple[Solution, Estimator]:
        """Solves the current stage with the requested estimator, or with the base estimator if time is short.

        Args:
            gain: f(X) - f(B) on the link's scale, (targets,).

        Returns:
            The solution, and the estimator that was used.
        """
        usual = USUAL * SOLVERS[self.estimator].seconds(len(self.players), sum(map(len, self._odd)))
        # Time was kept for the longest case; the decision is by the usual one, because most solutions are
        # faster.
        in_time = usual <= self._until - self._evaluator.deadline.now()
        used = self.estimator if in_time else Estimator.REGRESSION
        run_jobs = self._evaluator.caller.run_jobs
        solution = SOLVERS[used].solve(self._sampler, self._strata, self._odd, gain, run_jobs)
        self._trace.solved(self.size, solution, used)
        return solution, used

    def _solving_seconds(self, pairs: int) -> float:
        """Returns the time in seconds to reserve for solving a stage of `pairs` pairs."""
        left = self._until - self._evaluator.deadline.now()
        requested, base = (
            SOLVERS[each].seconds(len(self.players), pairs) for each in (self.estimator, Estimator.REGRESSION)
        )
        return requested if requested <= MAX_SOLVING_SHARE * left else base

    def _evaluate(self, batch: PairBatch, until: float, parts: Sequence[list[NDArray[np.float64]]]) -> None:
        """Evaluates both sides of each pair and appends the odd parts to `parts`, by stratum."""
        pairs = batch.pairs
        coalitions = np.concatenate([pairs, ~pairs])
        values = self._evaluator.values(self.players, coalitions, until)
        self._trace.evaluated(coalitions, values)
        odd = (values[: len(pairs)] - values[len(pairs) :]) / 2
        # A portion holds several strata one after the other.
        edges = np.cumsum([stop - start for _, start, stop in batch.portion])[:-1]
        for (stratum, _, _), part in zip(batch.portion, np.split(odd, edges), strict=True):
            parts[stratum].append(part)

    def _draw(self, portion: Portion) -> PairBatch:
        """Returns the pairs of a portion. Checks the deadline between strata: raises DeadlinePassed and Cancelled."""
        ahead, self._drawn_ahead = self._drawn_ahead, None
        if ahead and ahead.portion == portion:
            return ahead
        pairs = []
        for part in portion:
            self._evaluator.deadline.check(self._until)
            pairs.append(self._sampler.pairs(*part))
        return PairBatch(portion, np.concatenate(pairs))

    def _drawing_ahead(self, counts: Sequence[int], size: int | None) -> AbstractContextManager[None]:
        if size is None:
            return nullcontext()
        upcoming = next(portions(counts, allocation(len(self.players), size), self._max_pairs))
        # A few pairs are drawn faster than another thread takes over the work.
        if sum(stop - start for _, start, stop in upcoming) * len(self.players) < MIN_DRAWN_BESIDE:
            return nullcontext()

        def draw() -> None:
            # If the deadline stops the drawing, the values of the present stage are still of use.
            with suppress(DeadlinePassed):
                self._drawn_ahead = self._draw(upcoming)

        return self._evaluator.caller.beside(draw)

    @property
    def _max_pairs(self) -> int:
        """How many pairs are held at once. More pairs share more states of a recurrent model, but need more memory."""
        return max(MAX_MEMBERSHIP_BYTES // (2 * len(self.players)), 1)
