"""Levels of models in this process: players are answered under their own names, and stages grow as they should."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from core_sampling import exact
from games import additive_game, network_game, sparse_game
from played_games import GameRuns, played
from recurrent_games import event_game
from sequela.concurrency.deadline import Deadline
from sequela.explain.estimate.design_cache import DesignCache, GameDesigns
from sequela.explain.estimate.solvers import LOCAL_SOLVERS
from sequela.explain.explanation import StopReason
from sequela.explain.options import Estimator
from sequela.timeshap.coalitions import allocation
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


@pytest.mark.parametrize(
    "target", [3e-3, *(pytest.param(each, marks=pytest.mark.slow) for each in (1e-3, 3e-4, 1e-4))]
)
def test_the_largest_stage_of_the_processes_comes_before_larger_ones(target: float) -> None:
    """Beyond it errors fall more slowly, so it is solved first: the target may be reached there."""
    game = network_game(30, seed=1)
    runs = GameRuns(game)
    found = played(game, 30, target, runs=runs, **RANKED)
    # The empty and the full coalition are known before. Pairs come whole, so one coalition may be missing.
    reached = [2 + count for count in accumulate(runs.asked)]
    assert reached[-1] in (found.coalitions, found.coalitions - 1)
    assert found.coalitions > MAX_COALITIONS
    assert MAX_COALITIONS in reached


def test_a_game_of_few_interactions_ends_when_they_are_found() -> None:
    """At the first size at which a sparse fit is tried. The regression alone takes many times as many coalitions."""
    game = sparse_game(25, seed=3, terms=40)
    found = played(game, 25, 0.01, max_coalitions=1 << 14, **RANKED)
    assert found.reason is StopReason.TARGET
    assert found.coalitions == MAX_COALITIONS
    assert found.estimator is Estimator.CONTROL_VARIATE
    assert found.solution is not None
    np.testing.assert_allclose(found.solution.values, game.shapley(), atol=1e-8)
    base = played(game, 25, 0.01, max_coalitions=1 << 14)
    assert base.coalitions > 5 * found.coalitions


def _with_seconds(corrected: float, known: float) -> dict[str, Any]:
    """Returns rank kernels that are said to take so long, with and without further pairs."""
    solver = LOCAL_SOLVERS[Estimator.CONTROL_VARIATE]
    assert solver.quicker is not None
    quicker = replace(solver.quicker, seconds=lambda *_: known)
    slow = replace(solver, seconds=lambda *_: corrected, quicker=quicker)
    return {**RANKED, "solvers": {**LOCAL_SOLVERS, Estimator.CONTROL_VARIATE: slow}}


def test_without_time_for_further_pairs_the_known_ones_are_used() -> None:
    """4,096 coalitions, and time for the process alone: its solution is the answer, which says so."""
    game = event_game(30, seed=1)
    quick = played(game, 30, 0.0, deadline=Deadline(60.0), max_coalitions=4096, **_with_seconds(600.0, 0.0))
    assert quick.solution is not None
    assert quick.estimator is Estimator.CONTROL_VARIATE
    assert quick.out_of_time
    assert "2,048" in quick.detail
    known = played(game, 30, 0.0, max_coalitions=2048, **RANKED)
    assert known.solution is not None
    assert not known.detail
    np.testing.assert_allclose(quick.solution.values, known.solution.values, rtol=1e-9)
    full = played(game, 30, 0.0, max_coalitions=4096, **RANKED)
    assert full.solution is not None
    assert not full.detail
    assert not full.out_of_time
    assert (full.solution.largest_error < quick.solution.largest_error).all()


def test_without_time_for_a_process_the_base_estimator_is_used() -> None:
    game = event_game(30, seed=1)
    found = played(game, 30, 0.0, deadline=Deadline(60.0), max_coalitions=4096, **_with_seconds(600.0, 600.0))
    assert found.estimator is Estimator.REGRESSION
    assert found.out_of_time
    assert "the regression was used" in found.detail


def test_time_for_further_pairs_counts_only_where_there_are_some() -> None:
    """Once processes are kept, a larger sample takes longer with further pairs, and a small one does not."""
    solver, cache = LOCAL_SOLVERS[Estimator.CONTROL_VARIATE], DesignCache()
    assert solver.quicker is not None
    designs = GameDesigns(cache, 30, (128, 1 << 14), 0)
    small, large = allocation(30, 1024), allocation(30, 1 << 14)
    assert solver.seconds(designs, small) == solver.quicker.seconds(designs, small)
    assert solver.seconds(designs, large) > solver.quicker.seconds(designs, large)
    between = (solver.seconds(designs, large) + solver.quicker.seconds(designs, large)) / 2
    assert solver.within(between, designs, large) is solver.quicker
    assert solver.within(1e-9, designs, large) is None


def test_time_for_a_sparse_fit_counts_where_one_is_tried() -> None:
    """And that of its design until it is kept."""
    solver = LOCAL_SOLVERS[Estimator.CONTROL_VARIATE]
    assert solver.quicker is not None
    designs = GameDesigns(DesignCache(), 30, (128, 1 << 14), 0)
    tried, smaller = allocation(30, MAX_COALITIONS), allocation(30, MAX_COALITIONS - 2)
    assert solver.seconds(designs, smaller) == solver.quicker.seconds(designs, smaller)
    first = solver.seconds(designs, tried)
    designs.sparse(tried)
    kept = solver.seconds(designs, tried)
    assert first > kept > solver.quicker.seconds(designs, tried)
