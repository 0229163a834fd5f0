"""The control variate: exact where the base estimator is, nearer the truth where it is not, and honest about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from core_sampling import Game, exact, gain, sampled
from games import additive_game, network_game, random_game, sparse_game, sparse_games
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import at_least, coverage
from numpy.typing import NDArray
from recurrent_games import event_game
from sequela.timeshap.coalitions import allocation, stages, strata
from sequela.timeshap.control_variate.solver import (
    MAX_PAIRS,
    MAX_PLAYERS,
    solve_with_variate,
    solving_seconds,
    worth_trying,
)
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.regression import JobRunner, Solution, in_turn
from sweeps import examples


def varied(game: Game, players: int, budget: int, seed: int = 0, share: JobRunner = in_turn) -> Solution:
    """As `sampled`, with the control variate."""
    sampler, odd = PairSampler(players, seed), []
    for stratum, count in enumerate(allocation(players, budget)):
        pairs = sampler.pairs(stratum, 0, count)
        odd.append((game(pairs) - game(~pairs)) / 2)
    return solve_with_variate(sampler, strata(players), odd, gain(game, players), share)


def rms(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors**2)))


@pytest.mark.parametrize("players", range(2, 11))
def test_all_coalitions_give_the_shapley_values(players: int) -> None:
    """Enumeration is exact, and claims no error."""
    game = random_game(players, seed=players, targets=3)
    solution = varied(game, players, 1 << players)
    np.testing.assert_allclose(solution.values, game.shapley(), atol=1e-12)
    assert not solution.errors.any()


@settings(max_examples=examples(12))
@given(sparse_games(), st.integers(0, 2**63), st.sampled_from([128, 300, 700]))
def test_attributions_are_efficient(game, seed: int, budget: int) -> None:
    """They add up to v(N) - v(∅) in every sample."""
    solution = varied(game, game.players, budget, seed)
    np.testing.assert_allclose(solution.values.sum(axis=0), gain(game, game.players), atol=1e-9)


@settings(max_examples=examples(20))
@given(st.integers(0, 2**32))
def test_an_additive_game_is_solved_exactly_by_any_sample(seed: int) -> None:
    """Nothing but the weights can come out of a game without interactions: the dummy axiom at its purest."""
    weights = np.random.default_rng(seed).normal(size=40)
    solution = varied(additive_game(weights.tolist(), base=3.0), 40, 160, seed)
    np.testing.assert_allclose(solution.values[:, 0], weights, atol=1e-9)
    np.testing.assert_allclose(solution.errors, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("players", "budget"),
    [
        (14, 700),
        pytest.param(30, 512, marks=pytest.mark.slow),
        pytest.param(30, 700, marks=pytest.mark.slow),
        pytest.param(46, 736, marks=pytest.mark.slow),
    ],
)
def test_interactions_are_found_from_fewer_coalitions(players: int, budget: int) -> None:
    """Games with a closed form: over a few seeds the error is at most nine tenths of the base estimator's."""
    game = sparse_game(players, seed=3)
    ours = [varied(game, players, budget, seed).values - game.shapley() for seed in range(4)]
    base = [sampled(game, players, budget, seed).values - game.shapley() for seed in range(4)]
    assert rms(np.array(ours)) < 0.9 * rms(np.array(base))


@pytest.mark.parametrize("players", [30, pytest.param(46, marks=pytest.mark.slow)])
def test_the_smallest_budgets_lose_nothing(players: int) -> None:
    """At 4m coalitions left-out errors are as large as the game: bars that hold leave it to the base estimator."""
    game = sparse_game(players, seed=3)
    budget = max(4 * players, 128)
    ours = [varied(game, players, budget, seed).values - game.shapley() for seed in range(4)]
    base = [sampled(game, players, budget, seed).values - game.shapley() for seed in range(4)]
    assert rms(np.array(ours)) < 1.02 * rms(np.array(base))


@pytest.mark.slow
def test_events_of_a_recurrent_network_gain_most() -> None:
    """A GRU's events, 1024 of 16 384 coalitions: at most half the error."""
    game = event_game(14, seed=1)
    truth = exact(game, 14).values
    ours = [varied(game, 14, 1024, seed).values - truth for seed in range(3)]
    base = [sampled(game, 14, 1024, seed).values - truth for seed in range(3)]
    assert rms(np.array(ours)) < 0.5 * rms(np.array(base))


@pytest.mark.slow
def test_a_game_without_smoothness_is_not_made_worse() -> None:
    """Where every coalition's worth is drawn for itself there is nothing to predict: no more than a tenth is lost."""
    game = random_game(12, seed=5)
    truth = game.shapley()
    ours = [varied(game, 12, 600, seed).values - truth for seed in range(5)]
    base = [sampled(game, 12, 600, seed).values - truth for seed in range(5)]
    assert rms(np.array(ours)) < 1.1 * rms(np.array(base))


@pytest.mark.parametrize("scale", [1e-6, pytest.param(1e6, marks=pytest.mark.slow)])
def test_attributions_and_errors_scale_with_the_output(scale: float) -> None:
    """Nothing depends on a fixed unit."""
    game = sparse_game(20, 3)
    plain, scaled = varied(game, 20, 600, 1), varied(lambda z: scale * game(z), 20, 600, 1)
    np.testing.assert_allclose(scaled.values, scale * plain.values, rtol=1e-6, atol=scale * 1e-9)
    np.testing.assert_allclose(scaled.errors, scale * plain.errors, rtol=1e-6, atol=scale * 1e-9)


def test_targets_share_a_kernel_and_keep_their_own_errors() -> None:
    """A copy of a target changes nothing; a target that is constant is exact beside one that is not."""
    game = sparse_game(20, 3)
    alone = varied(game, 20, 600, 1)
    constant = varied(lambda z: np.hstack([game(z), np.full((len(z), 1), 7.0), game(z)]), 20, 600, 1)
    np.testing.assert_allclose(constant.values[:, [0]], constant.values[:, [2]])
    assert not constant.values[:, 1].any()
    assert not constant.errors[:, 1].any()
    copies = varied(lambda z: np.repeat(game(z), 3, axis=1), 20, 600, 1)
    np.testing.assert_allclose(copies.values, np.repeat(alone.values, 3, axis=1), atol=1e-9)
    np.testing.assert_allclose(copies.errors, np.repeat(alone.errors, 3, axis=1), atol=1e-9)


def test_the_same_sample_gives_the_same_bits_however_shared() -> None:
    """Again, and with parts run side by side."""
    game = network_game(30, 5)
    with ThreadPoolExecutor(3) as pool:

        def side_by_side(jobs: Iterable[Callable[[], object]]) -> Iterable[object]:
            return [future.result() for future in [pool.submit(job) for job in jobs]]

        solutions = [
            varied(game, 30, 500, 7, share)
            for share in (in_turn, in_turn, side_by_side)  # type: ignore[arg-type]
        ]
    for other in solutions[1:]:
        assert other.values.tobytes() == solutions[0].values.tobytes()
        assert other.errors.tobytes() == solutions[0].errors.tobytes()


@pytest.mark.slow
def test_of_a_large_sample_the_process_takes_its_part() -> None:
    """More pairs than 2048: what it makes of the first of them, where that is surer than the base estimator on all."""
    game = network_game(14, 5)
    limit = 2 * MAX_PAIRS + 2
    at_most, more = varied(game, 14, limit), varied(game, 14, 2 * limit)
    assert more.largest_error[0] < sampled(game, 14, 2 * limit).largest_error[0]
    np.testing.assert_allclose(more.values, at_most.values, atol=4 * at_most.largest_error.max())


def test_games_of_many_players_are_left_to_the_base_estimator() -> None:
    """More than 512: the base estimator's bits."""
    players, budget = MAX_PLAYERS + 8, 4 * (MAX_PLAYERS + 8)
    game = network_game(players, 5)
    ours, base = varied(game, players, budget), sampled(game, players, budget)
    assert ours.values.tobytes() == base.values.tobytes()
    assert ours.errors.tobytes() == base.errors.tobytes()
    assert not worth_trying(players, sum(allocation(players, budget)))


def test_time_to_solve_grows_with_the_sample_and_ends_with_it() -> None:
    """More pairs and more players take longer, up to the limits."""
    assert 0 < solving_seconds(30, 500) < solving_seconds(30, 2000) < solving_seconds(60, 2000)
    assert solving_seconds(30, 10 * MAX_PAIRS) == solving_seconds(30, MAX_PAIRS)
    assert solving_seconds(MAX_PLAYERS + 1, 2000) == 0


def vote_game(players: int, seed: int) -> Game:
    """A step: 1 where the members hold three fifths of all votes, else 0. Nothing smooth about it."""
    votes = np.random.default_rng(seed).exponential(size=players)
    return lambda z: (z @ votes > 0.6 * votes.sum()).astype(np.float64)[:, None]


LARGE = 1 << 17
"""Coalitions that leave the base estimator an error of no weight beside those of the samples tested."""
GAMES = pytest.mark.parametrize(
    "make", [sparse_game, network_game, event_game, vote_game], ids=["sparse", "network", "events", "votes"]
)


@pytest.mark.parametrize(
    ("make", "players"),
    [
        pytest.param(sparse_game, 30, id="sparse", marks=pytest.mark.slow),
        pytest.param(vote_game, 12, id="votes"),
    ],
)
def test_error_bars_are_neither_too_narrow_nor_too_wide(make, players: int) -> None:
    """A first look at what the slow tests sweep: 95 % intervals hold the truth in 90 to 98.5 % of cases, and miss no
    player more often than chance allows.
    """
    game = make(players, seed=11)
    found = coverage([varied(game, players, 256, seed) for seed in range(30)], _truth(game, players))
    assert 0.90 <= found.pooled <= 0.985
    assert found.worst >= at_least(30, 0.92)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("players", "budget"),
    [(12, 512), (14, 256), (14, 1024), (30, 256), (30, 1024), (46, 184), (46, 512)],
)
@GAMES
def test_error_bars_cover_what_they_claim(players: int, budget: int, make) -> None:
    """95 % intervals over 50 seeds, whatever estimator was taken: every player's own hold the truth as often as 92 %,
    but for chance, those of the three largest in 90 %; and bars are no more than 2.2 times as wide as errors are large.

    At 4m coalitions, where nearly all is left to the base estimator, the three largest are held as often as by that:
    of 46 events in 89 % of 300 samples.
    """
    game = make(players, seed=11)
    truth = _truth(game, players)
    solutions = [varied(game, players, budget, seed) for seed in range(50)]
    found = coverage(solutions, truth)
    assert found.worst >= at_least(50, 0.92)
    least = 0.90
    if budget == 4 * players:
        base = coverage([sampled(game, players, budget, seed) for seed in range(50)], truth)
        least = min(least, base.top)
    assert found.top >= least
    assert _width(solutions, truth) <= 2.2


@pytest.mark.slow
@pytest.mark.timeout(600)
@GAMES
def test_stopping_when_the_error_bar_allows_stays_honest(make) -> None:
    """Stages grow until the largest error is within the target: intervals still cover, over 50 seeds."""
    game, players = make(24, seed=5), 24
    target = 0.75 * varied(game, players, 512).largest_error
    truth = _truth(game, players)
    solutions = [_stopped(game, players, target, seed) for seed in range(50)]
    found = coverage(solutions, truth)
    assert found.worst >= at_least(50, 0.92)
    assert found.top >= 0.90
    assert _width(solutions, truth) <= 2.2


def _width(solutions: list[Solution], truth: NDArray[np.float64]) -> float:
    """Of the bars, in units of the errors: root mean squares."""
    errors = np.array([solution.values for solution in solutions]) - truth
    return rms(np.array([solution.errors for solution in solutions])) / rms(errors)


def _stopped(game: Game, players: int, target: NDArray[np.float64], seed: int) -> Solution:
    for budget in stages(players, 2048):
        solution = varied(game, players, budget, seed)
        if (solution.largest_error <= target).all():
            break
    return solution


def _truth(game, players: int) -> NDArray[np.float64]:
    if hasattr(game, "shapley"):
        return np.asarray(game.shapley())
    if players <= 14:
        return exact(game, players).values
    # By the base estimator, from so large a sample that its own error does not count.
    return sampled(game, players, LARGE, seed=10_000).values
