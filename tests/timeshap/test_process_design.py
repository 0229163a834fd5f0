"""What a process makes of values, from its design alone, against conditioning written out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sequela.timeshap.control_variate.gaussian_process import NUGGET
from sequela.timeshap.control_variate.odd_kernel import OddKernel
from sequela.timeshap.control_variate.process_design import ProcessDesign, process_design

PLAYERS, PAIRS, TARGETS = 9, 40, 2
SHARES = np.linspace(0.1, 1.0, PAIRS - 1)


@dataclass(frozen=True)
class Conditioning:
    """Random values of distinct random coalitions, of which none is another's complement."""

    kernel: OddKernel
    signs: NDArray[np.float64]
    odd: NDArray[np.float64]

    @property
    def covariance(self) -> NDArray[np.float64]:
        """With its nugget."""
        return self.kernel.between(self.signs, self.signs) + NUGGET * np.eye(PAIRS)

    def design(self, precision: type = np.float64) -> ProcessDesign:
        return process_design(self.kernel, self.signs, SHARES, precision)


def conditioning(seed: int) -> Conditioning:
    rng = np.random.default_rng(seed)
    ranks = rng.choice(1 << PLAYERS - 1, size=PAIRS, replace=False)
    signs = 2.0 * (ranks[:, None] >> np.arange(PLAYERS) & 1) - 1
    return Conditioning(
        OddKernel(rng.uniform(0.05, 0.6, size=PLAYERS)), signs, rng.normal(size=(PAIRS, TARGETS))
    )


@given(st.integers(0, 2**32))
def test_left_out_errors_are_those_of_really_leaving_out(seed: int) -> None:
    """Each value less what a process given all others predicts for it."""
    known, covariance = conditioning(seed), conditioning(seed).covariance
    design = known.design()
    left_out = design.inverse @ known.odd / design.precision
    for row in range(PAIRS):
        others = np.arange(PAIRS) != row
        given_others = np.linalg.solve(covariance[np.ix_(others, others)], known.odd[others])
        section = known.kernel.between(known.signs[[row]], known.signs[others])
        expected = known.odd[row] - (section @ given_others)[0]
        np.testing.assert_allclose(left_out[row], expected, rtol=1e-6, atol=1e-6)


@given(st.integers(0, 2**32))
def test_attributions_are_those_of_the_mean(seed: int) -> None:
    """Φᵀ K⁻¹ g; and what the nugget absorbs is g less the mean."""
    known = conditioning(seed)
    design = known.design()
    alpha = np.linalg.solve(known.covariance, known.odd)
    sections = known.kernel.attributions(known.signs)
    np.testing.assert_allclose(design.weights.T @ known.odd, sections.T @ alpha, rtol=1e-6, atol=1e-6)
    mean = known.kernel.between(known.signs, known.signs) @ alpha
    residuals = NUGGET * (design.inverse @ known.odd)
    np.testing.assert_allclose(residuals, known.odd - mean, rtol=1e-4, atol=1e-8)


@given(st.integers(0, 2**32))
def test_variances_are_what_conditioning_leaves(seed: int) -> None:
    """φφ'K - Φᵀ K⁻¹ Φ, never below 0; and the jackknife weighs squared weights by what is unknown."""
    known = conditioning(seed)
    design, inverse = known.design(), np.linalg.inv(known.covariance)
    sections = known.kernel.attributions(known.signs)
    left = known.kernel.attribution_variances() - np.diag(sections.T @ inverse @ sections)
    np.testing.assert_allclose(design.variances, np.maximum(left, 0.0), rtol=1e-5, atol=1e-7)
    weights = inverse @ sections
    np.testing.assert_allclose(design.jackknife, weights[1:] ** 2 * SHARES[:, None], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_single_precision_is_that_of_a_float32_model(seed: int) -> None:
    """Left-out errors are off by no more than a millionth of the largest value; attributions are not off at all."""
    known = conditioning(seed)
    single, double = known.design(np.float32), known.design()
    errors = [
        each.inverse @ known.odd.astype(each.inverse.dtype) / each.precision for each in (single, double)
    ]
    assert np.abs(errors[0] - errors[1]).max() < 1e-6 * np.abs(known.odd).max()
    assert single.inverse.nbytes * 2 == double.inverse.nbytes
    assert np.array_equal(single.weights, double.weights)
