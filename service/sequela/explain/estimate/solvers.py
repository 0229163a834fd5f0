"""The estimators: how each one solves a sample, how long solving takes, and which one to use for a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.design_cache import GameDesigns
from sequela.explain.options import Estimator, Options
from sequela.explain.ports import RemoteEndpoint
from sequela.timeshap.coalitions import all_coalitions, stages, strata
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS, ranking
from sequela.timeshap.control_variate.solver import (
    MAX_PAIRS,
    OVERHEAD_SECONDS,
    WORK_PER_SECOND,
    solve_with_variate,
    solving_seconds,
    worth_trying,
)
from sequela.timeshap.control_variate.sparse_fit import NEAR
from sequela.timeshap.control_variate.sparse_solver import FEWEST_TERMS
from sequela.timeshap.rank_solver import (
    MAX_COALITIONS,
    RankedSolution,
    may_be_sparse,
    process_counts,
    ranked_stages,
    solve_known,
    solve_ranked,
)
from sequela.timeshap.regression import Solution, solve_design
from sequela.timeshap.sample_design import JobRunner

USUAL = 0.25
"""The usual solving time, as a fraction of the longest one. The choice of the estimator is based on the usual time."""
SAVED = 0.4
"""Share of the rows that the control variate usually saves, or more: its errors are smaller by a factor of 1.3."""
SOLVED_AGAIN = 1.6
"""Time to solve all nested stages, relative to the last one. The time of a stage grows with the cube of its size."""
MARGIN = 0.7
"""A stage is solved if it has at least this fraction of the coalitions that should be needed to reach the target. The
margin allows for an error bar that is too wide.
"""
RANKED_MARGIN = 1.1
"""The same for rank kernels. Their next stage should be the last one, so it is better too large than too small."""
BUILDING_SPEED = 1e10
"""Multiply-adds per second while a design is built, which are products of large matrices: half of what was measured."""
PREDICTED_PER_SECOND = 3e8
"""Covariances per second, in single precision, between pairs that a process knows and further ones. Most games need one
of the two processes, so this leaves a margin of two or more.
"""
REFINING = 3.0
"""The time to refine what the process knows, in units of the time to predict as many pairs as it knows."""
GROWN = 6
"""Conjunctions whose literals are tried for each term of a sparse fit. Half of the pairs count for each."""
MAX_RATIO = 1e100
"""A target so far below the error cannot be reached. The square of a larger ratio may overflow."""
MAX_GROWTH = 4.0
MAX_VARIATE_GROWTH = 1.5
"""How many times larger than the current sample a prediction of the required sample may be, because small samples
estimate their own errors badly. The errors of the control variate fall faster than the square root of the sample size,
so predictions by that rule reach less far.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A solved sample.

    Attributes:
        solution: The answer.
        base: What the base estimator alone gave.
        estimator: The estimator of the answer: the control variate if any target has it.
    """

    solution: Solution
    base: Solution
    estimator: Estimator


Solve = Callable[
    [GameDesigns, Sequence[NDArray[np.float64]], NDArray[np.float64], JobRunner, Callable[[], None]],
    Estimate,
]
"""Solves a sample, given its designs, the odd parts of each stratum, Δ, what runs jobs, and what raises if the work
should stop. Estimators that have a quicker one call the latter before each part of what takes them longer.
"""


@dataclass(frozen=True, slots=True)
class Solver:
    """One estimator.

    Attributes:
        estimator: Its name.
        solve: Solves a sample.
        seconds: Returns an upper bound on the solving time in seconds, given the designs and the number of pairs of
            each stratum.
        growth: Returns how many times larger than this the next useful sample is, given an estimate, the standard
            error to reach (targets,), and the size of the sample in coalitions.
        usual_share: The usual solving time, as a fraction of the longest one. A sample is solved with this estimator if
            there is time for it.
        prepare: Prepares, in another thread, what later samples with these numbers of pairs need.
        stages: Returns the sizes of the stages, as `coalitions.stages` does.
        rank: Orders the players before pairs are drawn, given the odd part of each player alone (players, targets) and
            Δ (targets,); None if their order does not matter.
        quicker: Solves the same samples in less time, with larger errors, if there is not enough time for `solve`.
    """

    estimator: Estimator
    solve: Solve
    seconds: Callable[[GameDesigns, Sequence[int]], float]
    growth: Callable[[Estimate, NDArray[np.float64], int], float]
    usual_share: float = USUAL
    prepare: Callable[[GameDesigns, Sequence[int]], None] = lambda *_: None
    stages: Callable[[int, int, int, int], tuple[int, ...]] = stages
    rank: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.intp]] | None = None
    quicker: Solver | None = None

    def within(self, seconds: float, designs: GameDesigns, counts: Sequence[int]) -> Solver | None:
        """Returns this solver if it usually takes at most `seconds`, else a quicker one; None if none does."""
        if self.usual_share * self.seconds(designs, counts) <= seconds:
            return self
        return self.quicker and self.quicker.within(seconds, designs, counts)


def _solve_base(
    designs: GameDesigns,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner,
    _: Callable[[], None],
) -> Estimate:
    sample = designs.sample([len(rows) for rows in odd], run_jobs)
    solution = solve_design(sample, np.concatenate(odd), gain, run_jobs)
    return Estimate(solution, solution, Estimator.REGRESSION)


def _solve_searched(
    designs: GameDesigns,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner,
    _: Callable[[], None],
) -> Estimate:
    solution = solve_with_variate(designs.sampler, strata(designs.players), odd, gain, run_jobs)
    return Estimate(solution, solution, Estimator.CONTROL_VARIATE)


def _solve_ranked(
    designs: GameDesigns,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner,
    check: Callable[[], None],
) -> Estimate:
    return _ranked_estimate(solve_ranked(designs, odd, gain, run_jobs, check))


def _solve_known(
    designs: GameDesigns,
    odd: Sequence[NDArray[np.float64]],
    gain: NDArray[np.float64],
    run_jobs: JobRunner,
    _: Callable[[], None],
) -> Estimate:
    return _ranked_estimate(solve_known(designs, odd, gain, run_jobs))


def _ranked_estimate(found: RankedSolution) -> Estimate:
    used = Estimator.REGRESSION if found.solution is found.base else Estimator.CONTROL_VARIATE
    return Estimate(found.solution, found.base, used)


def _base_seconds(designs: GameDesigns, counts: Sequence[int]) -> float:
    return _regression_seconds(designs.players, sum(counts))


def _regression_seconds(players: int, pairs: int) -> float:
    """Returns the time of two passes over the pairs and of a matrix inversion."""
    return (2 * pairs + 2 * players) * players**2 / WORK_PER_SECOND


def _searched_seconds(designs: GameDesigns, counts: Sequence[int]) -> float:
    return _variate_seconds(designs.players, sum(counts))


def _variate_seconds(players: int, pairs: int) -> float:
    """Returns the time of three regressions (base, residuals, left-out errors) and of the process.

    A game that is evaluated whole needs one regression only.
    """
    if 2 * pairs + 2 >= all_coalitions(players):
        return _regression_seconds(players, pairs)
    return 3 * _regression_seconds(players, pairs) + solving_seconds(players, pairs)


def _ranked_seconds(designs: GameDesigns, counts: Sequence[int]) -> float:
    """Returns the time without further pairs, that of what they add to each process, and that of a sparse fit."""
    m, pairs = designs.players, sum(counts)
    known = sum(process_counts(m, counts))
    without = _known_seconds(designs, counts) + _sparse_seconds(designs, counts)
    if known in (0, pairs) or 2 * pairs + 2 >= all_coalitions(m):
        return without
    predicted = (pairs - known) * (m * known / WORK_PER_SECOND + known / PREDICTED_PER_SECOND)
    predicted += REFINING * known**2 / PREDICTED_PER_SECOND
    return without + len(EFFECTIVE_PLAYERS) * (predicted + 2 * _regression_seconds(m, pairs))


def _known_seconds(designs: GameDesigns, counts: Sequence[int]) -> float:
    """Returns the time of the base estimator and of each process, and of building the processes that are not kept."""
    m, base = designs.players, _regression_seconds(designs.players, sum(counts))
    used = process_counts(m, counts)
    pairs = sum(used)
    if not used or 2 * sum(counts) + 2 >= all_coalitions(m):
        return base
    once = 2 * _regression_seconds(m, pairs) + pairs**2 / WORK_PER_SECOND + OVERHEAD_SECONDS
    built = (2 * pairs**3 + 4 * m * pairs**2) / BUILDING_SPEED
    missing = sum(not designs.holds_process(used, each) for each in EFFECTIVE_PLAYERS)
    return base + len(EFFECTIVE_PLAYERS) * once + missing * built


def _sparse_seconds(designs: GameDesigns, counts: Sequence[int]) -> float:
    """Returns the time to build the design of a sparse fit, if it is not kept, and to find out that a game has none.

    If it has one, finding it takes longer, but can be interrupted.
    """
    m = designs.players
    if not may_be_sparse(m, counts, targets=1):
        return 0.0
    used = process_counts(m, counts)
    pairs, near = sum(used), min(m, NEAR)
    built = 0.0 if designs.holds_sparse(used) else m * pairs * near**3 / 6 / BUILDING_SPEED
    return built + FEWEST_TERMS * pairs * (near**3 / 2 + GROWN * m**2) / WORK_PER_SECOND


def _prepare_ranked(designs: GameDesigns, counts: Sequence[int]) -> None:
    if used := process_counts(designs.players, counts):
        designs.prepare_aside(used, EFFECTIVE_PLAYERS)


def _base_growth(estimate: Estimate, target: NDArray[np.float64], _: int) -> float:
    """Returns the growth by which errors fall to the target, if they fall with the square root of the sample size."""
    return min(MARGIN * _ratio(estimate.base, target) ** 2, MAX_GROWTH)


def _searched_growth(estimate: Estimate, target: NDArray[np.float64], _: int) -> float:
    return min(MARGIN * _ratio(estimate.solution, target) ** 2, MAX_VARIATE_GROWTH)


def _ranked_growth(estimate: Estimate, target: NDArray[np.float64], size: int) -> float:
    """Returns the growth by which the target should be reached.

    The errors of the processes fall about in proportion to the sample, up to the part of it that they know. Beyond it
    errors fall with the square root of the sample size.
    """
    ratio = _ratio(estimate.solution, target)
    if size >= MAX_COALITIONS:
        return min(MARGIN * ratio**2, MAX_GROWTH)
    # Errors fall more slowly beyond this size, so the stage of this size is solved before any larger one.
    return min(_base_growth(estimate, target, size), RANKED_MARGIN * ratio, MAX_COALITIONS / size)


def _ratio(solution: Solution, target: NDArray[np.float64]) -> float:
    """Returns the largest ratio of an error to the target, small enough to be squared."""
    return min(float((solution.largest_error / target).max()), MAX_RATIO)


REGRESSION = Solver(Estimator.REGRESSION, _solve_base, _base_seconds, _base_growth)
SOLVERS: Mapping[Estimator, Solver] = {
    Estimator.REGRESSION: REGRESSION,
    Estimator.CONTROL_VARIATE: Solver(
        Estimator.CONTROL_VARIATE, _solve_searched, _searched_seconds, _searched_growth
    ),
}
"""For models behind endpoints, whose rows are expensive: the control variate's kernel is fitted to the sample."""
KNOWN = Solver(
    Estimator.CONTROL_VARIATE,
    _solve_known,
    _known_seconds,
    _ranked_growth,
    # Nothing interrupts the construction of a design, so its whole time must be there.
    usual_share=1.0,
    prepare=_prepare_ranked,
    stages=ranked_stages,
    rank=ranking,
)
"""The control variate with rank kernels, which uses a part of the sample and is not corrected by the other pairs."""
LOCAL_SOLVERS: Mapping[Estimator, Solver] = {
    Estimator.REGRESSION: REGRESSION,
    Estimator.CONTROL_VARIATE: replace(KNOWN, solve=_solve_ranked, seconds=_ranked_seconds, quicker=KNOWN),
}
"""For models in this process, whose rows are cheap: the kernels are known before any value is."""


def requested_estimator(options: Options, endpoint: RemoteEndpoint | None) -> Estimator | None:
    """Returns the estimator that the request or the operator names, or None if it is chosen by how long rows take.

    Models in this process default to the control variate. For targets where the error bars of the base estimator are
    smaller, its solution is used.
    """
    # Choosing by time would give the same request different answers, so only endpoints do it.
    return options.estimator or (endpoint.info.estimator if endpoint else Estimator.CONTROL_VARIATE)


def choose_estimator(endpoint: RemoteEndpoint, row_bytes: int, budget: int, players: int) -> Estimator:
    """Chooses an estimator for a model behind an endpoint if neither the request nor the operator names one.

    The control variate reaches a target with a fraction of the rows. It is chosen if the rows that it saves would take
    longer than solving it does.

    Args:
        endpoint: The model's endpoint, which estimates how long rows take.
        row_bytes: The size of one row in bytes (see `ports.RemoteRows`).
        budget: The largest number of coalitions of a level.
        players: The number of players of the largest level.
    """
    # The process uses no more pairs than this, so further pairs neither save rows nor take time.
    pairs = min(budget // 2, MAX_PAIRS)
    if not worth_trying(players, pairs):
        return Estimator.REGRESSION
    saved = SAVED * endpoint.expected_seconds(2 * pairs, row_bytes)
    solving = USUAL * SOLVED_AGAIN * _variate_seconds(players, pairs)
    return Estimator.CONTROL_VARIATE if saved > solving else Estimator.REGRESSION
