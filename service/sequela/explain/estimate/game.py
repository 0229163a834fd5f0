"""Plays one game: plan a stage, evaluate it, solve, and stop when it is sure enough or must.

Stages are nested, so the coalitions of a stage are kept when the next one adds to them, and the number of
coalitions alone reproduces a level (docs/design.md §4.4-5, docs/estimator.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.estimate.sample import Sample
from sequela.explain.estimate.stages import GUESSED, StagePlan
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.options import Estimator
from sequela.explain.result.explanation import StopReason
from sequela.timeshap.coalitions import EXACT_AT_ONCE, FEWEST_TO_TRUST, all_coalitions, minimum_budget
from sequela.timeshap.coalitions import stages as nested_sizes
from sequela.timeshap.null_players import reduced
from sequela.timeshap.players import Players
from sequela.timeshap.regression import Solution, solve_small

NEAR = 0.7
"""A stage is solved when it is this near to the size at which the target should be reached, or larger."""


@dataclass(frozen=True, slots=True, eq=False)
class GameRules:
    """What holds for a level. target: standard error to reach, (targets,). until: on the monotonic clock. at_once:
    games of up to so many coalitions are played whole without sampling first. leap: see `StagePlan`.
    """

    budget: int
    most_players: int
    target: NDArray[np.float64]
    seed: int
    until: float
    estimator: Estimator = Estimator.REGRESSION
    at_once: int = EXACT_AT_ONCE
    leap: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class GameOutcome:
    """A game's outcome; `solution` is None where it was not computed, and `detail` says why.

    players: all, null ones included, whose attributions are 0. null: these, by their places. out_of_time: the clock
    stopped it, whether or not that left a solution, or left no time for the estimator that was asked for. estimator:
    None where there was nothing to estimate.
    """

    players: Players
    reason: StopReason
    solution: Solution | None = None
    coalitions: int = 0
    clipped: int = 0
    detail: str = ""
    seconds: float = 0.0
    out_of_time: bool = False
    estimator: Estimator | None = None
    null: frozenset[int] = frozenset()


def play(evaluator: Evaluator, players: Players, gain: NDArray[np.float64], rules: GameRules) -> GameOutcome:
    """Plays a game, without its null players. gain: f(X) - f(B) on the link's scale, (targets,).

    Raises Cancelled and DoesNotFit.
    """
    start = evaluator.deadline.now()
    game = reduced(players, evaluator.live(players))
    played = _play(evaluator, game.players, gain, rules)
    return replace(
        played,
        players=players,
        solution=game.expanded(played.solution),
        null=game.null,
        seconds=evaluator.deadline.now() - start,
        clipped=min(played.clipped + evaluator.clipped_ends, played.coalitions),
    )


def _play(evaluator: Evaluator, players: Players, gain: NDArray[np.float64], rules: GameRules) -> GameOutcome:
    m = len(players)
    if m < 2:
        return GameOutcome(players, StopReason.EXACT, solve_small(gain, m), coalitions=all_coalitions(m))
    if m > rules.most_players:
        detail = (
            f"{m} players, the limit is {rules.most_players}; a larger pruning tolerance leaves fewer events"
        )
        return GameOutcome(players, StopReason.NOT_COMPUTED, detail=detail)
    sizes = _sizes(evaluator, m, rules)
    if not sizes:
        detail = f"{rules.budget} coalitions are below the minimum of {minimum_budget(m)} for {m} players"
        return GameOutcome(players, StopReason.NOT_COMPUTED, detail=detail)
    sample = Sample(evaluator, players, len(gain), sizes, rules.seed, rules.until, rules.estimator)
    # Where stages leap, a first one before the whole game costs little, and is there should the time not suffice.
    whole = sizes[-1] == all_coalitions(m) and not rules.leap
    whole &= not rules.target.all() or sizes[-1] <= rules.at_once
    stages = StagePlan(sizes, whole, rules.until, rules.leap, _fewest(rules))
    if whole:
        stages.expect(evaluator.seconds(sizes[-1]) / sizes[-1])
    return _stage_by_stage(sample, stages, gain, rules.target)


def _sizes(evaluator: Evaluator, players: int, rules: GameRules) -> tuple[int, ...]:
    """Of the nested stages. A small game has one, unless there may be no time for all of it."""
    whole, left = all_coalitions(players), rules.until - evaluator.deadline.now()
    sure = whole <= rules.at_once and evaluator.seconds(whole) <= GUESSED * left
    at_once = rules.at_once if sure else 0
    return nested_sizes(players, rules.budget, at_once, _fewest(rules))


def _fewest(rules: GameRules) -> int:
    """Coalitions from which on error bars within the target end a game; none where there is no target."""
    return FEWEST_TO_TRUST if rules.target.all() else 0


def _stage_by_stage(
    sample: Sample, stages: StagePlan, gain: NDArray[np.float64], target: NDArray[np.float64]
) -> GameOutcome:
    """Grows the sample until it is sure enough, or the last stage or the time ends it.

    A standard error falls with the square root of the sample, so stages that cannot reach the target yet are not
    solved; that is trusted up to `Solver.farthest` sizes of the stage it follows from, since small samples do not know
    well how sure they are.
    """
    hopeless = float(stages.fewest) if target.all() else np.inf
    solved: GameOutcome | None = None
    while True:
        size = stages.after(sample.size, hopeless)
        following = stages.after(size, hopeless) if size < stages.last else None
        try:
            with stages.timed(sample.size, size):
                sample.grow(size, following)
        except DeadlinePassed:
            return replace(_salvage(sample, solved, gain), out_of_time=True)
        reason = _reason(len(sample.players), size, size == stages.last)
        if reason is None and size < hopeless:
            continue
        solved = _solved(sample, reason or StopReason.DEADLINE, gain)
        if reason is not None:
            return solved
        assert solved.solution is not None
        missing = float((solved.solution.largest_error / target).max())
        if missing <= 1:
            return replace(solved, reason=StopReason.TARGET)
        hopeless = size * min(NEAR * missing**2, sample.farthest)


def _reason(players: int, size: int, is_last: bool) -> StopReason | None:
    if size == all_coalitions(players):
        return StopReason.EXACT
    return StopReason.BUDGET if is_last else None


def _salvage(sample: Sample, solved: GameOutcome | None, gain: NDArray[np.float64]) -> GameOutcome:
    """The last stage that was evaluated whole, when the time is up."""
    if not sample.size:
        detail = f"the time left did not suffice for {minimum_budget(len(sample.players))} coalitions"
        return GameOutcome(sample.players, StopReason.NOT_COMPUTED, detail=detail)
    if solved and solved.coalitions == sample.size:
        return solved
    return _solved(sample, StopReason.DEADLINE, gain)


def _solved(sample: Sample, reason: StopReason, gain: NDArray[np.float64]) -> GameOutcome:
    """The stage last grown to. Where time sufficed for no estimator but the base one, the clock has had its say."""
    solution, used = sample.solve(gain)
    exact = reason is StopReason.EXACT
    return GameOutcome(
        sample.players,
        reason,
        solution,
        sample.size,
        clipped=sample.clipped,
        out_of_time=not exact and used is not sample.estimator,
        estimator=None if exact else used,
    )
