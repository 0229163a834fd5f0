"""The estimators: how each one solves a sample, how long solving takes, and which one to use for a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sequela.explain.options import Estimator, Options
from sequela.explain.ports import RemoteEndpoint
from sequela.timeshap.coalitions import all_coalitions
from sequela.timeshap.control_variate.solver import (
    MAX_PAIRS,
    WORK_PER_SECOND,
    solve_with_variate,
    solving_seconds,
    worth_trying,
)
from sequela.timeshap.regression import Solution, solve

USUAL = 0.25
"""The usual solving time, as a fraction of the longest one. The choice of the estimator is based on the usual time."""
SAVED = 0.4
"""Share of the rows that the control variate usually saves, or more: its errors are smaller by a factor of 1.3."""
SOLVED_AGAIN = 1.6
"""Time to solve all nested stages, relative to the last one. The time of a stage grows with the cube of its size."""


@dataclass(frozen=True, slots=True)
class Solver:
    """One estimator.

    Attributes:
        solve: Solves a sample, as `regression.solve` does.
        seconds: Returns an upper bound on the solving time in seconds, given the numbers of players and of pairs.
        max_growth: How many times larger than the current sample a prediction of the required sample may be.
    """

    solve: Callable[..., Solution]
    seconds: Callable[[int, int], float]
    max_growth: float


def _regression_seconds(players: int, pairs: int) -> float:
    """Returns the time of two passes over the pairs and of a matrix inversion."""
    return (2 * pairs + 2 * players) * players**2 / WORK_PER_SECOND


def _variate_seconds(players: int, pairs: int) -> float:
    """Returns the time of three regressions (base, residuals, left-out errors) and of the process.

    A game that is evaluated whole needs one regression only.
    """
    if 2 * pairs + 2 >= all_coalitions(players):
        return _regression_seconds(players, pairs)
    return 3 * _regression_seconds(players, pairs) + solving_seconds(players, pairs)


SOLVERS: Mapping[Estimator, Solver] = {
    Estimator.REGRESSION: Solver(solve, _regression_seconds, 4.0),
    # Its errors fall faster than the square root of the sample size, so predictions by that rule reach less far.
    Estimator.CONTROL_VARIATE: Solver(solve_with_variate, _variate_seconds, 1.5),
}


def requested_estimator(options: Options, endpoint: RemoteEndpoint | None) -> Estimator | None:
    """Returns the estimator that the request or the operator names, or None if it is chosen by how long rows take.

    Models in this process default to the base estimator: their rows are cheap, and the same request must always get
    the same answer.
    """
    # Choosing by time would give the same request different answers, so only endpoints do it.
    return options.estimator or (endpoint.info.estimator if endpoint else Estimator.REGRESSION)


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
