"""The likelihood of the process against normal densities written out, and its factorisation."""

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
