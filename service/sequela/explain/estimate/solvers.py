"""Which estimator a level's attributions come from, and what solving takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sequela.explain.options import Estimator, Options
from sequela.explain.ports import Endpoint
from sequela.timeshap.coalitions import all_coalitions
from sequela.timeshap.control_variate.solver import (
    MOST_PAIRS,
    SPEED,
    solve_with_variate,
    solving_seconds,
    worth_trying,
)
from sequela.timeshap.regression import Solution, solve

USUAL = 0.25
"""Of the time that solving takes at most, what it usually takes: by it the estimator is chosen."""
SAVED = 0.4
"""Of the rows, where errors shrink by 1.3: the least that the control variate usually brings."""
SOLVED_AGAIN = 1.6
"""Times the last stage that all nested stages take to solve, whose time grows with the cube of their size."""


@dataclass(frozen=True, slots=True)
class Solver:
    """How to solve a sample (see `solving.solve`), and seconds that this takes at most for (players, pairs).

    farthest: sizes of the stage solved last up to which its error bar tells how large a sample will do.
    """

    solve: Callable[..., Solution]
    seconds: Callable[[int, int], float]
    farthest: float


def _regression_seconds(players: int, pairs: int) -> float:
    """Two passes over the pairs, and a matrix inverted."""
    return (2 * pairs + 2 * players) * players**2 / SPEED


def _variate_seconds(players: int, pairs: int) -> float:
    """One base solution, another of what the process leaves, and the process; a whole game leaves nothing to it."""
    if 2 * pairs + 2 >= all_coalitions(players):
        return _regression_seconds(players, pairs)
    return 3 * _regression_seconds(players, pairs) + solving_seconds(players, pairs)


SOLVERS: Mapping[Estimator, Solver] = {
    Estimator.REGRESSION: Solver(solve, _regression_seconds, 4.0),
    # Its error falls faster than with the square root of the sample.
    Estimator.CONTROL_VARIATE: Solver(solve_with_variate, _variate_seconds, 1.5),
}


def settled(options: Options, endpoint: Endpoint | None) -> Estimator | None:
    """The estimator that the question or the operator settles; None where what rows take decides. In this process rows
    are cheap, and the same question is to have the same answer.
    """
    return options.estimator or (endpoint.estimator if endpoint else Estimator.REGRESSION)


def estimator_for(endpoint: Endpoint, row_bytes: int, budget: int, players: int) -> Estimator:
    """What levels of up to so many players should use where nothing settles it.

    The control variate reaches a target with a fraction of the rows: it pays where those saved would take the
    endpoint, its calls taken one by one, longer than solving takes.
    """
    pairs = min(budget // 2, MOST_PAIRS)
    if not worth_trying(players, pairs):
        return Estimator.REGRESSION
    rows = min(endpoint.rows(row_bytes), budget)
    saved = SAVED * 2 * pairs / rows * endpoint.seconds(rows)
    solving = USUAL * SOLVED_AGAIN * _variate_seconds(players, pairs)
    return Estimator.CONTROL_VARIATE if saved > solving else Estimator.REGRESSION
