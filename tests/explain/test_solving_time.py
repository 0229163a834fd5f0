"""No level is left without an answer while time is left, whatever is to be solved and however large the game."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from core_sampling import gain
from games import network_game
from numpy.typing import NDArray
from played_games import GameRuns, own_clock, played
from sequela.concurrency.deadline import Deadline
from sequela.explain.estimate.design_cache import DesignCache, GameDesigns
from sequela.explain.estimate.solvers import REGRESSION, SOLVERS
from sequela.explain.explanation import StopReason
from sequela.explain.options import Estimator
from sequela.timeshap.coalitions import allocation


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with own_clock():
        yield


@pytest.mark.parametrize("estimator", Estimator)
@pytest.mark.parametrize("players", [18, pytest.param(20, marks=pytest.mark.slow)])
def test_a_whole_game_is_begun_though_solving_a_part_of_it_might_take_too_long(
    players: int, estimator: Estimator
) -> None:
    """Target 0 and a budget of all coalitions, in less time than the control variate may need for the first part: what
    there is then is solved by the base estimator, which the level says.
    """
    designs = GameDesigns(DesignCache(), players, (), 0)
    most = SOLVERS[Estimator.CONTROL_VARIATE].seconds(designs, allocation(players, 8194))
    game = network_game(players, seed=1)
    found = played(
        game,
        players,
        0.0,
        deadline=Deadline(most / 3),
        estimator=estimator,
        max_coalitions=1 << players,
        runs=GameRuns(game, each=1e-5),
    )
    assert found.reason in (StopReason.EXACT, StopReason.DEADLINE)
    assert found.coalitions >= 128
    assert found.solution is not None
    np.testing.assert_allclose(found.solution.values.sum(axis=0), gain(game, players), atol=1e-9)
    assert found.estimator is (None if found.reason is StopReason.EXACT else Estimator.REGRESSION)
    assert found.out_of_time or found.reason is StopReason.EXACT or estimator is Estimator.REGRESSION


@pytest.mark.parametrize("estimator", Estimator)
@pytest.mark.parametrize(("players", "target"), [(12, 0.0), (12, 1e-6), (13, 0.0), (15, 0.0), (18, 0.0)])
def test_a_game_that_does_not_fit_whole_is_sampled(players: int, target: float, estimator: Estimator) -> None:
    """Also one so small that it is usually played whole at once: 4096 coalitions would take twice the time."""
    game = network_game(players, seed=1)
    runs = GameRuns(game, each=2e-4)
    found = played(
        game,
        players,
        target,
        deadline=Deadline(0.4),
        runs=runs,
        estimator=estimator,
        max_coalitions=1 << players,
    )
    assert found.reason is StopReason.DEADLINE
    assert 128 <= found.coalitions < 1 << players
    assert found.solution is not None
    assert found.solution.errors.all()
    assert runs.asked[0] <= 2048


@pytest.mark.slow
@pytest.mark.parametrize(
    ("players", "target", "estimator"),
    [
        (12, 0.0, Estimator.CONTROL_VARIATE),
        (12, 1e-6, Estimator.REGRESSION),
        (16, 0.0, Estimator.REGRESSION),
        (18, 0.0, Estimator.CONTROL_VARIATE),
    ],
)
def test_a_guess_that_is_far_too_low_leaves_an_answer(
    players: int, target: float, estimator: Estimator
) -> None:
    """All coalitions were said to fit with room to spare, and take four times the time: there is a part of them."""
    game = network_game(players, seed=1)
    runs = SlowerThanSaid(game, each=4 * 0.5 / (1 << players))
    found = played(
        game,
        players,
        target,
        deadline=Deadline(0.5),
        runs=runs,
        estimator=estimator,
        max_coalitions=1 << players,
    )
    assert found.solution is not None
    assert found.reason is StopReason.DEADLINE
    assert 128 <= found.coalitions < 1 << players


class SlowerThanSaid(GameRuns):
    """Coalitions take eight times as long as they are guessed to."""

    def seconds(self, coalitions: int) -> float:
        return super().seconds(coalitions) / 8


@pytest.mark.parametrize("players", [2, 7, 8, 9, 12, 13, 15, 16])
@pytest.mark.parametrize("short", [0, 1, 2])
def test_budgets_about_a_whole_game(players: int, short: int) -> None:
    """All coalitions, or one or two fewer: exact where all are there, else sampled, or too few to say anything."""
    game, total = network_game(players, seed=1), 1 << players
    found = played(game, players, 0.0, max_coalitions=total - short)
    if not short:
        assert (found.reason, found.coalitions) == (StopReason.EXACT, total)
    elif total - short < min(max(4 * players, 128), total):
        assert found.reason is StopReason.NOT_COMPUTED
    else:
        assert (found.reason, found.coalitions) == (StopReason.BUDGET, total - short)
        exact = played(game, players, 0.0, max_coalitions=total)
        assert found.solution
        assert exact.solution
        np.testing.assert_allclose(found.solution.values, exact.solution.values, atol=0.01)


def test_a_deadline_that_comes_early_leaves_time_to_solve() -> None:
    """A drain brings it forward in the middle of a stage: one that takes long to solve gives way to a smaller one."""
    game, deadline = network_game(60, seed=1), Deadline(2.0)
    runs = GameRuns(game, each=1e-4)

    def hurried(coalitions: NDArray[np.bool_]) -> NDArray[np.float64]:
        # The second stage is complete, and the third one is not.
        if len(runs.asked) > 2:
            deadline.hurry(deadline.now())
            deadline.check()
        return game(coalitions)

    runs.game = hurried

    def seconds(_: object, counts: Sequence[int]) -> float:
        return 600.0 if deadline.hurried and sum(counts) > 400 else 0.0

    slow = replace(REGRESSION, seconds=seconds)
    options: dict[str, Any] = {"solvers": {Estimator.REGRESSION: slow}, "max_coalitions": 1 << 18}
    found = played(game, 60, 0.0, deadline, runs=runs, **options)
    assert sum(runs.asked[:2]) > 802
    assert found.out_of_time
    assert 240 <= found.coalitions <= 802
    again = played(game, 60, 0.0, max_coalitions=found.coalitions)
    assert found.solution is not None
    assert again.solution is not None
    np.testing.assert_allclose(found.solution.values, again.solution.values, atol=1e-12)
