"""Levels of models in this process: players are answered under their own names, and stages grow as they should."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from core_sampling import exact
from games import additive_game, network_game
from played_games import GameRuns, played
from sequela.explain.estimate.solvers import LOCAL_SOLVERS
from sequela.explain.explanation import StopReason
from sequela.explain.options import Estimator
from sequela.timeshap.rank_solver import MAX_COALITIONS

RANKED: dict[str, Any] = {"estimator": Estimator.CONTROL_VARIATE, "solvers": LOCAL_SOLVERS}


def test_an_additive_game_gives_each_player_its_own_weight() -> None:
    """Whatever order the sample has put the players in."""
    weights = np.random.default_rng(4).normal(size=25)
    found = played(additive_game(weights.tolist()), 25, 0.005, **RANKED)
    assert found.reason is StopReason.TARGET
    assert found.solution is not None
    np.testing.assert_allclose(found.solution.values[:, 0], weights, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_players_that_interact_keep_their_names_too(seed: int) -> None:
    """14 players, 1,024 of 16,384 coalitions: within five error bars of the exact values."""
    game = network_game(14, seed=1)
    truth = exact(game, 14).values
    found = played(game, 14, 0.0, max_coalitions=1024, seed=seed, **RANKED)
    assert found.reason is StopReason.BUDGET
    assert found.solution is not None
    assert (np.abs(found.solution.values - truth) < 5 * found.solution.errors + 1e-6).all()


def test_the_largest_stage_of_the_processes_comes_before_larger_ones() -> None:
    """Beyond it only the base estimator gains, so it is solved first: the target may be reached there."""
    game, sizes = network_game(30, seed=1), set()
    for target in (3e-3, 1e-3, 3e-4, 1e-4):
        runs = GameRuns(game)
        found = played(game, 30, target, runs=runs, **RANKED)
        # The empty and the full coalition are known before. Pairs come whole, so one coalition may be missing.
        reached = [2 + count for count in accumulate(runs.asked)]
        assert reached[-1] in (found.coalitions, found.coalitions - 1)
        assert found.coalitions <= MAX_COALITIONS or MAX_COALITIONS in reached
        sizes.add(found.coalitions)
    assert max(sizes) > MAX_COALITIONS
