"""Which estimator a level's attributions come from, and what solving takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sequela.explaining.ports import Endpoint
from sequela.explaining.question import Estimator
from sequela.timeshap.control_variate import solve_with_variate, solving_seconds
from sequela.timeshap.solving import Solution, solve

SPEED = 5e9
"""Multiply-adds a second that solving reaches at least; only deadlines depend on it, never an answer."""
SOLVED_AGAIN = 1.6
"""Times the last stage that all nested stages take to solve, whose time grows with the cube of their size."""


@dataclass(frozen=True, slots=True)
class Solver:
    """How to solve a sample (see `solving.solve`), and seconds that this takes at most for (players, pairs)."""

    solve: Callable[..., Solution]
    seconds: Callable[[int, int], float]


def _regression_seconds(players: int, pairs: int) -> float:
    """Two passes over the pairs, and a matrix inverted."""
    return (2 * pairs + 2 * players) * players**2 / SPEED


def _variate_seconds(players: int, pairs: int) -> float:
    """One base solution, another of what the process leaves, and the process."""
    return 3 * _regression_seconds(players, pairs) + solving_seconds(players, pairs)


SOLVERS: Mapping[Estimator, Solver] = {
    Estimator.REGRESSION: Solver(solve, _regression_seconds),
    Estimator.CONTROL_VARIATE: Solver(solve_with_variate, _variate_seconds),
}


def estimator_for(endpoint: Endpoint | None, row_bytes: int, budget: int, players: int) -> Estimator:
    """What a level of so many players should use where the question does not say.

    The control variate reaches a target with a fraction of the rows: it pays where what the endpoint takes for a whole
    budget, its calls taken one by one, is more than what solving takes. In this process rows are cheap, and the same
    question is to have the same answer.
    """
    if endpoint is None:
        return Estimator.REGRESSION
    rows = min(endpoint.rows(row_bytes), budget)
    asking = budget / rows * endpoint.seconds(rows)
    solving = SOLVED_AGAIN * _variate_seconds(players, budget // 2)
    return Estimator.CONTROL_VARIATE if asking > solving else Estimator.REGRESSION
