"""Plays one game: evaluates stage after stage, solves, and stops when the errors or the budget allow it.

Stages are nested: the coalitions of a stage are also in all later ones. So the number of coalitions alone reproduces
a level (docs/design.md §4.4-4.5, docs/estimator.md "Stages").
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.estimate.rules import GameRules
from sequela.explain.estimate.sample import Sample
from sequela.explain.estimate.solvers import Estimate, Solver
from sequela.explain.estimate.stages import FIRST_STAGE_SHARE, StagePlan
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.explanation import StopReason
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.tracer import GameTrace
from sequela.timeshap.coalitions import all_coalitions, minimum_budget
from sequela.timeshap.null_players import reduce_game
from sequela.timeshap.players import Players
from sequela.timeshap.rank_solver import MAX_COALITIONS
from sequela.timeshap.regression import solve_small

LOCAL_DIRECT_SHARE = 0.25
"""In this process, a stage may be evaluated directly if it takes at most this share of the time left."""
TOO_LATE_TO_SOLVE = "too little time was left for the control variate; the regression was used instead"
TOO_LATE_TO_CORRECT = (
    "too little time was left for all of the control variate: coalitions beyond the first "
    f"{MAX_COALITIONS:,}, if any, did not correct it, and there was no sparse fit"
)
"""Why the standard errors of a game may be larger than its coalitions allow."""


def play(evaluator: Evaluator, players: Players, gain: NDArray[np.float64], rules: GameRules) -> GameOutcome:
    """Plays one game. Null players are left out of the game and get attribution 0 (docs/design.md §4.6).

    Args:
        evaluator: Returns the values of coalitions.
        players: All players.
        gain: f(X) - f(B) on the link's scale, (targets,). The attributions add up to it.
        rules: Budget, target and time.

    Raises:
        Cancelled: The caller cancelled the request.
        DoesNotFit: The model failed.
        InvalidInput: QUESTION_TOO_LARGE.
    """
    start = evaluator.deadline.now()
    if start >= min(rules.until, evaluator.deadline.end) and len(players) > 1:
        return _too_late(players)
    # Null players are found by equal bits, which is a proof, so leaving them out is exact.
    game = reduce_game(players, evaluator.live(players))
    trace = rules.trace.game(rules.level, players, game.live)
    found = _Game(evaluator, game.players, gain, rules, trace).play()
    outcome = replace(
        found,
        players=players,
        solution=game.expand(found.solution),
        null=game.null,
        seconds=evaluator.deadline.now() - start,
        # The empty coalition and that of all players are evaluated before the levels. min(), because in a game
        # without players they are the same.
        clipped=min(found.clipped + evaluator.clipped_base_and_score, found.coalitions),
    )
    trace.finished(outcome)
    return outcome


def _too_late(players: Players) -> GameOutcome:
    """Returns the outcome of a game that would begin too late. It is not played, since other requests may wait."""
    detail = f"not enough time was left to evaluate {minimum_budget(len(players))} coalitions"
    return GameOutcome(players, StopReason.NOT_COMPUTED, detail=detail, out_of_time=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Game:
    """A game of live players only; the arguments are those of `play`."""

    evaluator: Evaluator
    players: Players
    gain: NDArray[np.float64]
    rules: GameRules
    trace: GameTrace

    def play(self) -> GameOutcome:
        m, rules = len(self.players), self.rules
        if m < 2:
            # A single player gets the whole difference, so there is nothing to sample.
            solution = solve_small(self.gain, m)
            return GameOutcome(self.players, StopReason.EXACT, solution, coalitions=all_coalitions(m))
        if m > rules.max_players:
            return self._unsolved_outcome(
                f"{m} players exceed the server's limit of {rules.max_players}; "
                "a larger pruning_tolerance prunes more events"
            )
        sizes = self._stage_sizes()
        if not sizes:
            return self._unsolved_outcome(
                f"max_coalitions is {rules.max_coalitions}, but {m} players need at least {minimum_budget(m)}"
            )
        rules.budget.check(m, sizes[-1], len(self.gain))
        return self._grow(self._sample(sizes), self._plan(sizes))

    def _unsolved_outcome(self, detail: str) -> GameOutcome:
        return GameOutcome(self.players, StopReason.NOT_COMPUTED, detail=detail)

    def _stage_sizes(self) -> tuple[int, ...]:
        """Returns the sizes of the nested stages.

        A small game has a single stage, unless time might not suffice for it.
        """
        whole, rules = all_coalitions(len(self.players)), self.rules
        left = rules.until - self.evaluator.deadline.now()
        small = whole <= rules.max_enumerated and self.evaluator.seconds(whole) <= FIRST_STAGE_SHARE * left
        max_enumerated = rules.max_enumerated if small else 0
        return rules.solver.stages(len(self.players), rules.max_coalitions, max_enumerated, rules.min_trusted)

    def _sample(self, sizes: tuple[int, ...]) -> Sample:
        return Sample(self.evaluator, self.players, self.gain, sizes, self.rules, self.trace)

    def _plan(self, sizes: tuple[int, ...]) -> StagePlan:
        rules, last = self.rules, sizes[-1]
        # With direct stages, a small first stage is cheap and provides an answer if time runs out in the whole game.
        whole = last == all_coalitions(len(self.players)) and not rules.direct_share
        whole &= not rules.has_target or last <= rules.max_enumerated
        share = rules.direct_share or LOCAL_DIRECT_SHARE
        plan = StagePlan(sizes, whole, rules.until, share, rules.min_trusted)
        plan.expect(self.evaluator.seconds(last) / last)
        return plan

    def _grow(self, sample: Sample, plan: StagePlan) -> GameOutcome:
        """Grows the sample until the target is reached, the last stage is complete or the time is over.

        Stages that cannot reach the target are not solved. The standard errors of a stage predict the required size
        (see `Solver.growth`).
        """
        target = self.rules.target
        try:
            # A whole game is ranked too, since the deadline may leave a part of it.
            if not plan.is_single:
                sample.rank()
        except DeadlinePassed:
            return replace(self._last_complete_stage(sample, None), out_of_time=True)
        smallest_useful = float(plan.min_trusted) if self.rules.has_target else np.inf
        solved: GameOutcome | None = None
        while True:
            # The stage after the next is needed too: its pairs are drawn while the model runs.
            size = plan.after(sample.size, smallest_useful)
            following = plan.after(size, smallest_useful) if size < plan.last else None
            try:
                with plan.measure(sample.size or sample.ranked, size):
                    sample.grow(size, following)
            except DeadlinePassed:
                return replace(self._last_complete_stage(sample, solved), out_of_time=True)
            reason = self._reason(size, plan)
            # Solving takes time, and this stage could not end the game.
            if reason is None and size < smallest_useful:
                continue
            estimate, used = sample.solve()
            solved = self._outcome(sample, estimate, used, reason or StopReason.DEADLINE)
            if reason is not None:
                return solved
            if (estimate.solution.largest_error <= target).all():
                return replace(solved, reason=StopReason.TARGET)
            smallest_useful = size * used.growth(estimate, target, size)

    def _reason(self, size: int, plan: StagePlan) -> StopReason | None:
        """Returns why a stage of this size is the last one, or None if it is not."""
        if size == all_coalitions(len(self.players)):
            return StopReason.EXACT
        return StopReason.BUDGET if size == plan.last else None

    def _last_complete_stage(self, sample: Sample, solved: GameOutcome | None) -> GameOutcome:
        """Returns the last stage that was evaluated completely before the time ran out."""
        if not sample.size:
            minimum = minimum_budget(len(self.players))
            return self._unsolved_outcome(f"not enough time was left to evaluate {minimum} coalitions")
        # The last complete stage may be solved already.
        if solved and solved.coalitions == sample.size:
            return solved
        sample.shrink()
        return self._outcome(sample, *sample.solve(), StopReason.DEADLINE)

    def _outcome(self, sample: Sample, estimate: Estimate, used: Solver, reason: StopReason) -> GameOutcome:
        """Returns the outcome of the current stage, `out_of_time` if only a quicker estimator fitted into the time."""
        exact = reason is StopReason.EXACT
        replaced = not exact and used is not sample.solver
        too_late = TOO_LATE_TO_CORRECT if used is sample.solver.quicker else TOO_LATE_TO_SOLVE
        return GameOutcome(
            self.players,
            reason,
            estimate.solution,
            sample.size,
            clipped=sample.clipped,
            detail=too_late if replaced else "",
            out_of_time=replaced,
            estimator=None if exact else estimate.estimator,
        )
