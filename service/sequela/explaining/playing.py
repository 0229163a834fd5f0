"""Plays one game: plan a stage, evaluate it, solve, and stop when it is sure enough or must.

Stages are nested, so the coalitions of a stage are kept when the next one adds to them, and the number of
coalitions alone reproduces a level (design §4.4-5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.clock import TimeUp
from sequela.explaining.estimating import SOLVERS
from sequela.explaining.evaluating import Evaluator
from sequela.explaining.explanation import StopReason
from sequela.explaining.question import Estimator
from sequela.explaining.sampling import Sample
from sequela.explaining.stages import Stages
from sequela.timeshap.coalitions import EXACT_AT_ONCE, all_coalitions, minimum_budget
from sequela.timeshap.coalitions import stages as nested_sizes
from sequela.timeshap.players import Players
from sequela.timeshap.solving import Solution, solve_small

NEAR = 0.7
"""A stage is solved when it is this near to the size at which the target should be reached, or larger."""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What holds for a level. target: standard error to reach, (targets,). until: on the monotonic clock. at_once:
    games of up to so many coalitions are played whole without sampling first. leap: see `Stages`.
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
class Played:
    """A game's outcome; `solution` is None where it was not computed, and `detail` says why.

    out_of_time: the clock stopped it, whether or not that left a solution. estimator: None where there was nothing to
    estimate.
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


def play(evaluator: Evaluator, players: Players, gain: NDArray[np.float64], rules: Rules) -> Played:
    """Plays a game. gain: f(X) - f(B) on the link's scale, (targets,). Raises Cancelled and DoesNotFit."""
    start, clipped = evaluator.clock.now(), evaluator.clipped
    played = _play(evaluator, players, gain, rules)
    sampled = played.solution is not None and played.reason is not StopReason.EXACT
    return replace(
        played,
        seconds=evaluator.clock.now() - start,
        clipped=evaluator.clipped - clipped,
        estimator=rules.estimator if sampled else None,
    )


def _play(evaluator: Evaluator, players: Players, gain: NDArray[np.float64], rules: Rules) -> Played:
    m = len(players)
    if m < 2:
        return Played(players, StopReason.EXACT, solve_small(gain, m), coalitions=all_coalitions(m))
    if m > rules.most_players:
        detail = (
            f"{m} players, the limit is {rules.most_players}; a larger pruning tolerance leaves fewer events"
        )
        return Played(players, StopReason.NOT_COMPUTED, detail=detail)
    sizes = nested_sizes(m, rules.budget, rules.at_once)
    if not sizes:
        detail = f"{rules.budget} coalitions are below the minimum of {minimum_budget(m)} for {m} players"
        return Played(players, StopReason.NOT_COMPUTED, detail=detail)
    solver = SOLVERS[rules.estimator]
    sample = Sample(evaluator, players, len(gain), sizes, rules.seed, rules.until, solver)
    # Where stages leap, a first one before the whole game costs little, and is there should the time not suffice.
    whole = sizes[-1] == all_coalitions(m) and not rules.target.all() and not rules.leap
    return _stage_by_stage(
        sample, Stages(sizes, whole, rules.until, rules.leap), gain, rules.target, solver.farthest
    )


def _stage_by_stage(
    sample: Sample,
    stages: Stages,
    gain: NDArray[np.float64],
    target: NDArray[np.float64],
    farthest: float,
) -> Played:
    """Grows the sample until it is sure enough, or the last stage or the time ends it.

    A standard error falls with the square root of the sample, so stages that cannot reach the target yet are not
    solved; that is trusted up to `farthest` sizes of the stage it follows from, since small samples do not know well
    how sure they are.
    """
    players, hopeless = sample.players, 0.0 if target.all() else np.inf
    solved: Played | None = None
    while True:
        size = stages.after(sample.size, hopeless)
        following = stages.after(size, hopeless) if size < stages.last else None
        try:
            with stages.timed(sample.size, size):
                sample.grow(size, following)
        except TimeUp:
            return replace(_salvage(sample, solved, gain), out_of_time=True)
        reason = _reason(len(players), size, size == stages.last)
        if reason is None and size < hopeless:
            continue
        solution = sample.solve(gain)
        if reason is None:
            missing = float((solution.largest_error / target).max())
            hopeless = size * min(NEAR * missing**2, farthest)
            reason = StopReason.TARGET if missing <= 1 else None
        solved = Played(players, reason or StopReason.DEADLINE, solution, size)
        if reason is not None:
            return solved


def _reason(players: int, size: int, is_last: bool) -> StopReason | None:
    if size == all_coalitions(players):
        return StopReason.EXACT
    return StopReason.BUDGET if is_last else None


def _salvage(sample: Sample, solved: Played | None, gain: NDArray[np.float64]) -> Played:
    """The last stage that was evaluated whole, when the time is up."""
    if not sample.size:
        detail = f"the time left did not suffice for {minimum_budget(len(sample.players))} coalitions"
        return Played(sample.players, StopReason.NOT_COMPUTED, detail=detail)
    if solved and solved.coalitions == sample.size:
        return solved
    return Played(sample.players, StopReason.DEADLINE, sample.solve(gain), sample.size)
