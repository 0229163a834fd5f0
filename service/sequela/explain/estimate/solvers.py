"""The estimators: how each one solves a sample, how long that takes, and which one suits a request."""

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
"""The usual share of the time that solving takes at most. The estimator is chosen by the usual time."""
SAVED = 0.4
"""Share of the rows that the control variate saves at least, usually: its errors are smaller by a factor of 1.3."""
SOLVED_AGAIN = 1.6
"""Time to solve all nested stages, in units of the last one. The time of a stage grows with the cube of its size."""


@dataclass(frozen=True, slots=True)
class Solver:
    """One estimator.

    Attributes:
        solve: Solves a sample, as `regression.solve` does.
        seconds: The seconds that this takes at most, for a number of players and of pairs.
        max_growth: An error bar predicts the sample that reaches the target up to this many times its own sample.
    """

    solve: Callable[..., Solution]
    seconds: Callable[[int, int], float]
    max_growth: float


def _regression_seconds(players: int, pairs: int) -> float:
    """Two passes over the pairs, and the inverse of a matrix."""
    return (2 * pairs + 2 * players) * players**2 / WORK_PER_SECOND


def _variate_seconds(players: int, pairs: int) -> float:
    """The base solution, two more for residuals and left-out errors, and the process, which whole games do not need."""
    if 2 * pairs + 2 >= all_coalitions(players):
        return _regression_seconds(players, pairs)
    return 3 * _regression_seconds(players, pairs) + solving_seconds(players, pairs)


SOLVERS: Mapping[Estimator, Solver] = {
    Estimator.REGRESSION: Solver(solve, _regression_seconds, 4.0),
    # Its error falls faster than the square root of the sample, so predictions by that rule are trusted less far.
    Estimator.CONTROL_VARIATE: Solver(solve_with_variate, _variate_seconds, 1.5),
}


def settled(options: Options, endpoint: RemoteEndpoint | None) -> Estimator | None:
    """The estimator that the request or the operator names; None if the time of rows decides.

    Models in this process use the base estimator by default, because rows are cheap, and the same request must get the
    same answer.
    """
    # Choosing by time would give the same request different answers, so only endpoints do it.
    return options.estimator or (endpoint.info.estimator if endpoint else Estimator.REGRESSION)


def estimator_for(endpoint: RemoteEndpoint, row_bytes: int, budget: int, players: int) -> Estimator:
    """Chooses an estimator for a model behind an endpoint, where neither the request nor the operator did.

    The control variate reaches a target with a fraction of the rows. It is chosen where the rows it saves would take
    longer than solving it.

    Args:
        endpoint: Says how long rows take.
        row_bytes: Size of one row (see `ports.RemoteRows`).
        budget: Coalitions of a level at most.
        players: Players of the largest level.
    """
    pairs = min(budget // 2, MAX_PAIRS)
    if not worth_trying(players, pairs):
        return Estimator.REGRESSION
    saved = SAVED * endpoint.expected_seconds(2 * pairs, row_bytes)
    solving = USUAL * SOLVED_AGAIN * _variate_seconds(players, pairs)
    return Estimator.CONTROL_VARIATE if saved > solving else Estimator.REGRESSION
