"""The process's closed forms against conditioning written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sequela.timeshap.control_variate.gaussian_process import MAX_DIRECT_SIZE, NUGGET, OddProcess, whitening
from sequela.timeshap.control_variate.odd_kernel import OddKernel


def process_of(seed: int, players: int = 9, pairs: int = 40, targets: int = 2) -> OddProcess:
    """Given random values of distinct random coalitions, of which none is another's complement."""
    rng = np.random.default_rng(seed)
    ranks = rng.choice(1 << players - 1, size=pairs, replace=False)
    signs = 2.0 * (ranks[:, None] >> np.arange(players) & 1) - 1
    kernel = OddKernel(rng.uniform(0.05, 0.6, size=players))
    return OddProcess(kernel, signs, rng.normal(size=(pairs, targets)))


def covariance(process: OddProcess) -> NDArray[np.float64]:
    """With its nugget."""
    return process.kernel.between(process.signs, process.signs) + NUGGET * np.eye(len(process.signs))


@given(st.integers(0, 2**32))
def test_left_out_errors_are_those_of_really_leaving_out(seed: int) -> None:
    """Each value less what a process given all others predicts for it."""
    process = process_of(seed)
    for row in range(len(process.signs)):
        others = np.arange(len(process.signs)) != row
        given_others = np.linalg.solve(covariance(process)[np.ix_(others, others)], process.odd[others])
        section = process.kernel.between(process.signs[[row]], process.signs[others])
        np.testing.assert_allclose(
            process.left_out[row], process.odd[row] - (section @ given_others)[0], rtol=1e-6, atol=1e-6
        )


@given(st.integers(0, 2**32))
def test_attributions_are_those_of_the_mean(seed: int) -> None:
    """Φᵀ K⁻¹ g; they are linear in g for one kernel; and residuals are g less the mean."""
    process = process_of(seed)
    weights = np.linalg.solve(covariance(process), process.odd)
    sections = process.kernel.attributions(process.signs)
    np.testing.assert_allclose(process.attributions, sections.T @ weights, rtol=1e-6, atol=1e-6)
    doubled = OddProcess(process.kernel, process.signs, 2 * process.odd)
    np.testing.assert_allclose(doubled.attributions, 2 * process.attributions, rtol=1e-9)
    mean = process.kernel.between(process.signs, process.signs) @ weights
    np.testing.assert_allclose(process.residuals, process.odd - mean, rtol=1e-4, atol=1e-8)


@given(st.integers(0, 2**32))
def test_variances_are_what_conditioning_leaves(seed: int) -> None:
    """φφ'K - Φᵀ K⁻¹ Φ, times the mean square of left-out errors in units of their own deviation."""
    process = process_of(seed)
    inverse = np.linalg.inv(covariance(process))
    sections = process.kernel.attributions(process.signs)
    left = process.kernel.attribution_variances() - np.diag(sections.T @ inverse @ sections)
    standardised = (inverse @ process.odd) ** 2 / np.diag(inverse)[:, None]
    expected = np.outer(left, standardised[1:].mean(axis=0))
    np.testing.assert_allclose(process.variances(slice(1, None)), expected, rtol=1e-5, atol=1e-7)


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_likelihoods_differ_as_normal_densities_do(seed: int, other: int) -> None:
    """Two kernels for the same values: the difference of their log densities at each target's best scale."""
    process = process_of(seed)
    rival = OddProcess(process_of(other).kernel, process.signs, process.odd)
    expected = _log_density(process) - _log_density(rival)
    assert process.likelihood - rival.likelihood == pytest.approx(expected, rel=1e-6, abs=1e-6)


def _log_density(process: OddProcess) -> float:
    """Mean over targets, up to a constant that depends on the number of values only."""
    matrix, count, total = covariance(process), len(process.odd), 0.0
    for values in process.odd.T:
        scale = values @ np.linalg.solve(matrix, values) / count
        total -= np.linalg.slogdet(scale * matrix)[1] / 2
    return float(total) / process.odd.shape[1]


@given(st.integers(0, 2**32))
def test_likelihood_slopes_are_differences(seed: int) -> None:
    """Central differences of the likelihood by every player's λ."""
    process, step = process_of(seed), 1e-4
    for player, slope in enumerate(process.likelihood_slopes()):
        shift = step * (np.arange(len(process.kernel.rates)) == player)
        up, down = (
            OddProcess(OddKernel(np.tanh(process.kernel.rates + way * shift)), process.signs, process.odd)
            for way in (1, -1)
        )
        assert slope == pytest.approx((up.likelihood - down.likelihood) / (2 * step), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("size", [1, 5, MAX_DIRECT_SIZE, MAX_DIRECT_SIZE + 1, 3 * MAX_DIRECT_SIZE + 7])
def test_whitening_inverts_the_cholesky_factor(size: int) -> None:
    """L⁻¹, lower triangular, in one block or many."""
    rows = np.random.default_rng(size).normal(size=(size, size + 5))
    matrix = rows @ rows.T + np.eye(size)
    inverse = whitening(matrix)
    np.testing.assert_allclose(inverse @ np.linalg.cholesky(matrix), np.eye(size), atol=1e-9)
    assert not np.triu(inverse, 1).any()


def test_a_matrix_that_is_no_covariance_is_refused() -> None:
    """LinAlgError rather than a wrong number."""
    with pytest.raises(np.linalg.LinAlgError):
        whitening(np.array([[1.0, 2.0], [2.0, 1.0]]))
