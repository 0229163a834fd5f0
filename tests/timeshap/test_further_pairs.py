"""Samples that are larger than a process: what the further pairs add, put together from its parts, and its promises."""

from __future__ import annotations

import numpy as np
import pytest
from core_sampling import Game, gain, ranked
from games import network_game, random_game, sparse_game
from intervals import at_least, coverage
from known_games import airport, known_games
from numpy.typing import NDArray
from recurrent_games import event_game
from sequela.timeshap.coalitions import Stratum, allocation, strata, unknown_shares
from sequela.timeshap.control_variate.further_pairs import (
    FurtherPairs,
    KnownValues,
    extended,
    further_design,
    has_enough,
)
from sequela.timeshap.control_variate.gaussian_process import NUGGET
from sequela.timeshap.control_variate.process_design import ProcessDesign, known_signs, process_design
from sequela.timeshap.control_variate.rank_kernels import rank_kernel
from sequela.timeshap.pair_order import PairSampler
from sequela.timeshap.rank_solver import MAX_COALITIONS, process_counts
from sequela.timeshap.regression import Solution, solve

PLAYERS, KNOWN, WHOLE = 16, 300, 900
NO_ERRORS = np.full((PLAYERS, 1), 1e9)


def odd_parts(game: Game, pairs: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray((game(pairs) - game(~pairs)) / 2)


def known_process(sampler: PairSampler, counts: tuple[int, ...], precision: type) -> ProcessDesign:
    kernel, signs = rank_kernel(PLAYERS, 5.0), known_signs(sampler, counts)
    return process_design(kernel, signs, unknown_shares(PLAYERS, counts), precision)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_the_further_pairs_correct_the_process(precision: type) -> None:
    """φ(h) and the base estimator on (1 - a/N) e of the further pairs, and its bars, if the known pairs say nothing."""
    game, sampler = sparse_game(PLAYERS, 3), PairSampler(PLAYERS, 1)
    known, counts = allocation(PLAYERS, KNOWN), allocation(PLAYERS, WHOLE)
    further = FurtherPairs(sampler, known)
    taken = [k - a for k, a in zip(counts, known, strict=True)]
    named = np.concatenate([further.pairs(i, 0, count) for i, count in enumerate(taken)])
    first = np.concatenate([sampler.pairs(i, 0, count) for i, count in enumerate(known)])
    values = np.concatenate([gain(game, PLAYERS)[None] / 2, odd_parts(game, first)])

    kernel, signs = rank_kernel(PLAYERS, 5.0), known_signs(sampler, known)
    alpha = np.linalg.solve(kernel.between(signs, signs) + NUGGET * np.eye(len(signs)), values)
    z = np.where(named, 1.0, -1.0)
    errors = odd_parts(game, named) - kernel.between(z, signs) @ alpha
    shares = [1 - a / layer.total for a, layer in zip(known, strata(PLAYERS), strict=True)]
    rest = [Stratum(s.size, s.total - a) for s, a in zip(strata(PLAYERS), known, strict=True)]
    scaled = np.split(errors * np.repeat(shares, taken)[:, None], np.cumsum(taken)[:-1])
    base = solve(further, rest, scaled, np.zeros(1))
    expected = kernel.attributions(signs).T @ alpha + base.values

    found = extended(
        further_design(sampler, known, counts),
        KnownValues(kernel, known_process(sampler, known, precision), values),
        Solution(np.zeros((PLAYERS, 1)), NO_ERRORS),
        odd_parts(game, named),
    )
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.values, expected, atol=1e-5 * scale)
    np.testing.assert_allclose(found.errors, base.errors, rtol=1e-3)


def test_both_solutions_are_weighted_by_the_inverse_of_their_variances() -> None:
    """Halfway between the known and the further pairs, where the errors of both are equal."""
    game, sampler = sparse_game(PLAYERS, 3), PairSampler(PLAYERS, 1)
    known, counts = allocation(PLAYERS, KNOWN), allocation(PLAYERS, WHOLE)
    design = further_design(sampler, known, counts)
    first = np.concatenate([sampler.pairs(i, 0, count) for i, count in enumerate(known)])
    values = np.concatenate([gain(game, PLAYERS)[None] / 2, odd_parts(game, first)])
    process = KnownValues(rank_kernel(PLAYERS, 5.0), known_process(sampler, known, np.float32), values)
    odd = odd_parts(game, design.signs > 0)
    zero = np.zeros((PLAYERS, 1))
    outer = extended(design, process, Solution(zero, NO_ERRORS), odd)
    both = extended(design, process, Solution(zero, outer.errors), odd)
    np.testing.assert_allclose(both.values, outer.values / 2, atol=1e-6)
    np.testing.assert_allclose(both.errors, outer.errors / np.sqrt(2), rtol=1e-6)
    # A solution without any error is kept.
    exact = extended(design, process, Solution(zero, zero), odd)
    assert not exact.values.any()
    assert not exact.errors.any()


def test_the_further_pairs_follow_the_known_ones() -> None:
    """Together they are the sample, and none occurs twice."""
    sampler, known, counts = PairSampler(20, 5), allocation(20, 256), allocation(20, 1500)
    further = FurtherPairs(sampler, known)
    for stratum, (a, k) in enumerate(zip(known, counts, strict=True)):
        both = np.concatenate([sampler.pairs(stratum, 0, a), further.pairs(stratum, 0, k - a)])
        assert np.array_equal(both, sampler.pairs(stratum, 0, k))
    assert further.players == 20
    assert has_enough(20, known, counts)
    assert not has_enough(20, known, allocation(20, 300))


@pytest.mark.parametrize("budget", [2100, 2896, 9000])
def test_attributions_add_up(budget: int) -> None:
    game = network_game(24, seed=3)
    found = ranked(game, 24, budget)
    np.testing.assert_allclose(found.values.sum(axis=0), gain(game, 24), atol=1e-10)


def test_a_stratum_that_becomes_whole_is_taken_as_it_is() -> None:
    """18 players, 20,000 of 262,144 coalitions: the strata of two and three players are known whole, and bars hold."""
    game = event_game(18, seed=4)
    every = ranked(game, 18, 1 << 18).values
    assert any(
        a < k == layer.total
        for a, k, layer in zip(
            process_counts(18, allocation(18, 20_000)), allocation(18, 20_000), strata(18), strict=True
        )
    )
    found = coverage([ranked(game, 18, 20_000, seed) for seed in range(10)], every)
    assert found.pooled >= 0.9
    assert found.worst >= at_least(10, 0.92)


def test_all_coalitions_are_exact() -> None:
    """Also where the last pairs are further ones."""
    game = random_game(12, seed=2)
    found = ranked(game, 12, 1 << 12)
    np.testing.assert_allclose(found.values, game.shapley(), atol=1e-12)
    assert not found.errors.any()


def test_each_target_is_corrected_for_itself() -> None:
    """A copy in other units, and a target that is constant, change nothing but rounding."""
    game = sparse_game(20, 3)
    alone = ranked(game, 20, 4000, 1)
    three = ranked(lambda z: np.hstack([game(z), np.full((len(z), 1), 7.0), 1e-9 * game(z)]), 20, 4000, 1)
    np.testing.assert_allclose(three.values[:, [0]], alone.values, atol=1e-5)
    np.testing.assert_allclose(1e9 * three.values[:, [2]], alone.values, atol=1e-5)
    assert not three.values[:, 1].any()
    assert not three.errors[:, 1].any()


def test_large_samples_gain_more_than_the_process_alone() -> None:
    """An airport of 30 companies: 8,192 coalitions have at most half the error of 2,048."""
    game = airport(np.random.default_rng(0).pareto(1.5, size=30))
    rms = {
        budget: np.sqrt(
            np.mean([(ranked(game, 30, budget, s).values - game.attributions) ** 2 for s in range(4)])
        )
        for budget in (MAX_COALITIONS, 4 * MAX_COALITIONS)
    }
    assert rms[4 * MAX_COALITIONS] < 0.5 * rms[MAX_COALITIONS]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("budget", [2896, 8192])
@pytest.mark.parametrize("number", range(len(known_games(12, 0))), ids=[g.name for g in known_games(12, 0)])
def test_every_player_is_covered(number: int, budget: int) -> None:
    """30 players, 40 seeds: every player in 92 %, up to chance, the three largest in 90 %."""
    game = known_games(30, seed=11)[number]
    found = coverage([ranked(game, 30, budget, seed) for seed in range(40)], game.attributions)
    assert found.worst >= at_least(40, 0.92)
    assert found.top >= 0.90
