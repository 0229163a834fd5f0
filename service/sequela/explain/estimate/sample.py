"""The sample of one game: which pairs of coalitions have been evaluated, and their odd parts.

The odd part of a pair {S, Sᶜ} is g = (v(S) - v(Sᶜ))/2. Shapley values depend only on the odd parts
(docs/estimator.md, "Which coalitions").
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.estimate.design_cache import GameDesigns
from sequela.explain.estimate.rules import GameRules
from sequela.explain.estimate.solvers import Estimate, Solver
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.options import Estimator
from sequela.explain.tracer import NO_TRACE, GameTrace
from sequela.timeshap.coalitions import Portion, allocation, portions, strata
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution

MAX_MEMBERSHIP_BYTES = 1 << 25
"""Size limit in bytes of the coalitions (n, players) held in memory at once, with one byte per membership."""
MIN_DRAWN_BESIDE = 1 << 17
"""Smallest number of memberships worth drawing in another thread while the model runs. Fewer are kept between games."""
LATE_SECONDS = 0.25
"""How long solving may take, in seconds, if a deadline that was brought forward has left no time for it."""
GAVE_WAY_MARGIN = 4.0
"""A request that gives way to waiting requests uses its estimator only if at least this many times the usual solving
time is left. The construction of a design cannot be interrupted, and takes longer than usual while the machine is busy.
"""
MAX_SOLVING_SHARE = 0.5
"""Largest share of the time left that is reserved for solving. If an estimator may need more, the time of a quicker
one is reserved.
"""


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """The pairs of a portion. `pairs` (k, places) holds the named side of each pair (see `Sample`)."""

    portion: Portion
    pairs: NDArray[np.bool_]


class Sample:
    """The pairs evaluated so far, as the odd parts (k_s, targets) of the first k_s pairs of each stratum s.

    Pairs are drawn for positions 0 … m - 1 (places). The estimator may assign the players to the places once it knows
    the values of single players. Otherwise player i has place i.

    Args:
        evaluator: Returns the values of coalitions.
        players: The players of the game, at least two.
        gain: f(X) - f(B) on the link's scale, (targets,).
        sizes: The sizes that the sample may grow to, in coalitions, ascending.
        rules: Its seed, deadline and estimators are used.
        trace: Records what was evaluated and solved.

    Attributes:
        solver: The requested estimator.
        size: The number of coalitions of the last complete stage; 0 before the first stage.
        ranked: The number of coalitions that were evaluated before the first stage, to order the players.
        clipped: How many of these had values that the link clipped.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        players: Players,
        gain: NDArray[np.float64],
        sizes: tuple[int, ...],
        rules: GameRules,
        trace: GameTrace = NO_TRACE,
    ) -> None:
        self.players = players
        self.size = self.ranked = self.clipped = 0
        self.solver = rules.solver
        self._base = rules.solvers[Estimator.REGRESSION]
        self._evaluator, self._until, self._trace = evaluator, rules.until, trace
        self._designs = GameDesigns(rules.designs, len(players), sizes, rules.seed)
        self._gain = gain
        self._odd = [np.empty((0, len(gain))) for _ in strata(len(players))]
        self._drawn_ahead: PairBatch | None = None
        # For each complete stage its size, and how many coalitions were clipped up to it.
        self._stages: list[tuple[int, int]] = []
        # The place of each player; None as long as player i has place i.
        self._place: NDArray[np.intp] | None = None

    def rank(self) -> None:
        """Evaluates each player alone and all others together, and orders the players by the values.

        These are the pairs of stratum 1, which every sample contains.

        Raises:
            DeadlinePassed: There is not enough time for it.
        """
        if self.solver.rank is None:
            return
        clipped = self._evaluator.clipped
        alone = np.eye(len(self.players), dtype=bool)
        singles = self._odd_parts(alone, self._until)
        self.clipped += self._evaluator.clipped - clipped
        self.ranked = 2 * len(self.players)
        order = self.solver.rank(singles, self._gain)
        self._place = np.argsort(order)
        # The stratum has the places in a random order.
        places = self._designs.pairs([(0, 0, len(self.players))]).argmax(axis=1)
        self._odd[0] = singles[order[places]]

    def grow(self, size: int, following: int | None) -> None:
        """Grows the sample to `size` coalitions by evaluating the ones it does not have yet.

        While the model runs, another thread draws the pairs that a next stage of `following` coalitions would add.

        Raises:
            DeadlinePassed: There is not enough time to evaluate and solve the stage. The sample is then unchanged.
        """
        counts = allocation(len(self.players), size)
        # Values that arrive too late to be solved would be lost, so time to solve is kept back.
        until, clipped = self._end - self._solving_seconds(counts), self._evaluator.clipped
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
        self._stages.append((self.size, self.clipped))

    def shrink(self) -> None:
        """Goes back to the largest complete stage that the base estimator can still solve, or to the smallest one.

        A drain, or callers who wait, may bring the deadline forward in the middle of a stage.
        """
        seconds = max(self._end - self._evaluator.deadline.now(), LATE_SECONDS)
        while len(self._stages) > 1 and self._base.seconds(self._designs, self._counts) > seconds:
            self._stages.pop()
            self.size, self.clipped = self._stages[-1]
            counts = allocation(len(self.players), self.size)
            self._odd = [odd[:count] for odd, count in zip(self._odd, counts, strict=True)]

    def solve(self) -> tuple[Estimate, Solver]:
        """Solves the current stage with the requested estimator, or with a quicker one if time is short.

        Returns:
            The estimate, whose rows are players, and the estimator that was used.
        """
        # Time was kept for the longest case; the decision is by the usual one, because most solutions are
        # faster.
        margin = GAVE_WAY_MARGIN if self._evaluator.deadline.gave_way else 1.0
        left = self._end - self._evaluator.deadline.now()
        in_time = self.solver.within(left / margin, self._designs, self._counts)
        used = in_time or self._base
        # Otherwise callers with short deadlines would never get this estimator. But a request that gives way to others
        # does not use their processor time to prepare it.
        if not in_time and not self._evaluator.deadline.gave_way:
            self.solver.prepare(self._designs, self._counts)
        found, used = self._solved(used)
        estimate = Estimate(self._by_player(found.solution), self._by_player(found.base), found.estimator)
        self._trace.solved(self.size, estimate.solution, estimate.estimator)
        return estimate, used

    def _solved(self, solver: Solver) -> tuple[Estimate, Solver]:
        """Solves the current stage with this estimator, or with a quicker one if the time runs out meanwhile."""
        run_jobs, deadline = self._evaluator.caller.run_jobs, self._evaluator.deadline
        check = partial(deadline.check, self._until)
        try:
            return solver.solve(self._designs, self._odd, self._gain, run_jobs, check), solver
        except DeadlinePassed:
            # A drain, or callers who wait, may have brought the deadline forward. A quicker one usually takes
            # milliseconds. With hundreds of players and many coalitions it takes longer, and is not interrupted.
            left = max(self._end - deadline.now(), LATE_SECONDS)
            quicker = solver.quicker and solver.quicker.within(left, self._designs, self._counts)
            return self._solved(quicker or self._base)

    @property
    def _end(self) -> float:
        """When the game must have ended. The deadline may be brought forward while it is played."""
        return min(self._until, self._evaluator.deadline.end)

    @property
    def _counts(self) -> list[int]:
        """The number of known pairs of each stratum, k_s."""
        return [len(odd) for odd in self._odd]

    def _by_player(self, solution: Solution) -> Solution:
        if self._place is None:
            return solution
        return Solution(solution.values[self._place], solution.errors[self._place])

    def _solving_seconds(self, counts: Sequence[int]) -> float:
        """Returns the time in seconds to reserve for solving a stage with these numbers of pairs."""
        left = self._end - self._evaluator.deadline.now()
        solver: Solver | None = self.solver
        while solver:
            seconds = solver.seconds(self._designs, counts)
            if seconds <= MAX_SOLVING_SHARE * left:
                return seconds
            solver = solver.quicker
        return self._base.seconds(self._designs, counts)

    def _evaluate(self, batch: PairBatch, until: float, parts: Sequence[list[NDArray[np.float64]]]) -> None:
        """Evaluates both sides of each pair and appends the odd parts to `parts`, by stratum."""
        pairs = batch.pairs if self._place is None else batch.pairs.take(self._place, axis=1)
        odd = self._odd_parts(pairs, until)
        # A portion holds several strata one after the other.
        edges = np.cumsum([stop - start for _, start, stop in batch.portion])[:-1]
        for (stratum, _, _), part in zip(batch.portion, np.split(odd, edges), strict=True):
            parts[stratum].append(part)

    def _odd_parts(self, pairs: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        """Evaluates both sides of each pair and returns the odd parts, (k, targets)."""
        coalitions = np.concatenate([pairs, ~pairs])
        values = self._evaluator.values(self.players, coalitions, until)
        self._trace.evaluated(coalitions, values)
        return np.asarray((values[: len(pairs)] - values[len(pairs) :]) / 2)

    def _draw(self, portion: Portion) -> PairBatch:
        """Returns the pairs of a portion. Checks the deadline between strata: raises DeadlinePassed and Cancelled."""
        ahead, self._drawn_ahead = self._drawn_ahead, None
        if ahead and ahead.portion == portion:
            return ahead
        if not self._is_large(portion):
            self._evaluator.deadline.check(self._until)
            return PairBatch(portion, self._designs.pairs(portion))
        pairs = []
        for part in portion:
            self._evaluator.deadline.check(self._until)
            pairs.append(self._designs.sampler.pairs(*part))
        return PairBatch(portion, np.concatenate(pairs))

    def _is_large(self, portion: Portion) -> bool:
        return sum(stop - start for _, start, stop in portion) * len(self.players) >= MIN_DRAWN_BESIDE

    def _drawing_ahead(self, counts: Sequence[int], size: int | None) -> AbstractContextManager[None]:
        if size is None:
            return nullcontext()
        upcoming = next(portions(counts, allocation(len(self.players), size), self._max_pairs))
        # A few pairs are drawn faster than another thread takes over the work.
        if not self._is_large(upcoming):
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
