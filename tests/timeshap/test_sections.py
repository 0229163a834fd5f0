"""Sums of sections in single precision against the kernel in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.control_variate.rank_kernels import EFFECTIVE_PLAYERS, rank_kernel
from sequela.timeshap.control_variate.sections import MAX_BOUND, MIN_BOUND, Sections, exact_in_single
from sequela.timeshap.rank_solver import MAX_PLAYERS

strengths = st.lists(st.floats(0.0, 0.95), min_size=1, max_size=7).filter(
    lambda rho: float(np.arctanh(rho).sum()) > MIN_BOUND
)
seeds = st.integers(0, 2**32 - 1)
SINGLE = float(np.finfo(np.float32).eps)
both_kernels = pytest.mark.parametrize("effective_players", EFFECTIVE_PLAYERS)


def random_signs(players: int, count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), size=(count, players))


def exact_sum(
    sections: Sections, signs: NDArray[np.float32], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """In double precision, by the kernel itself."""
    covariance = sections.kernel.between(signs.astype(np.float64), sections.signs.astype(np.float64))
    return np.asarray(covariance @ weights)


@given(strengths, seeds, st.integers(-300, 200))
def test_sums_are_sums_of_the_kernel(rho: list[float], seed: int, magnitude: int) -> None:
    """To single precision, however small or large the weights are."""
    kernel, signs = exact_in_single(OddKernel(np.array(rho))), random_signs(len(rho), 128, seed)
    weights = np.random.default_rng(seed).normal(size=(128, 2))
    sections = Sections(kernel, signs)
    found = sections.summed(weights * 10.0**magnitude).at(signs) / 10.0**magnitude
    expected = exact_sum(sections, signs, weights)
    worst = np.abs(found - expected).max(axis=0)
    np.testing.assert_array_less(worst, 5e-7 * np.abs(weights).sum(axis=0))


@given(strengths, seeds)
def test_sums_in_double_precision_are_exact(rho: list[float], seed: int) -> None:
    kernel, signs = exact_in_single(OddKernel(np.array(rho))), random_signs(len(rho), 128, seed)
    weights = np.random.default_rng(seed).normal(size=(128, 2))
    sections = Sections(kernel, signs)
    found = sections.summed(weights).at(signs, sections.near(signs, np.float64))
    np.testing.assert_allclose(found, exact_sum(sections, signs, weights), atol=1e-11)


@both_kernels
@pytest.mark.parametrize("players", [2, 12, 18, 46, 100, MAX_PLAYERS])
def test_single_precision_holds_every_sum_of_rounded_rates(players: int, effective_players: float) -> None:
    """In any order of the players, for coalitions that are nearly alike as well."""
    rates = exact_in_single(rank_kernel(players, effective_players)).rates
    signs = random_signs(players, 200, players)
    signs[::2] = 1
    signs[::2, players // 2] = -1
    for order in (slice(None), slice(None, None, -1)):
        terms = signs[:, order] * rates.astype(np.float32)[order]
        np.testing.assert_allclose(np.cumsum(terms, axis=1)[:, -1], signs @ rates, rtol=0, atol=1e-12)


@both_kernels
def test_rounded_rates_hardly_differ(effective_players: float) -> None:
    """No rank kernel is too weak or too strong for single precision, and rounding hardly changes it."""
    for players in range(2, MAX_PLAYERS + 1):
        kernel = rank_kernel(players, effective_players)
        rounded = exact_in_single(kernel)
        assert MIN_BOUND < rounded.bound < MAX_BOUND
        np.testing.assert_allclose(rounded.rates, kernel.rates, rtol=0, atol=SINGLE * kernel.bound)


@both_kernels
@pytest.mark.parametrize("players", [18, 46, 100, 300])
def test_a_large_weight_does_not_multiply_rounding_errors(players: int, effective_players: float) -> None:
    """Weights in the thousands, most of which cancel, occur at coalitions that nearly all players share."""
    kernel = exact_in_single(rank_kernel(players, effective_players))
    known, others = random_signs(players, 200, 1), random_signs(players, 500, 2)
    known[:2] = 1
    known[1, -1] = -1
    weights = np.random.default_rng(3).normal(size=(200, 1))
    weights[:2, 0] = 5000.0, -4990.0
    sections = Sections(kernel, known)
    found, expected = sections.summed(weights).at(others), exact_sum(sections, others, weights)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7 * 5000)
