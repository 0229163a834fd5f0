"""The kernel's closed forms against sums over all coalitions."""

from __future__ import annotations

import numpy as np
from games import TableGame
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sequela.timeshap.control_variate.odd_kernel import OWN_EFFECTS, OddKernel

strengths = st.lists(st.floats(0.0, 0.95), min_size=1, max_size=7).filter(lambda rho: max(rho) > 0.01)


def all_signs(players: int) -> NDArray[np.float64]:
    """Every coalition, in the order of `TableGame`."""
    return 2.0 * (np.arange(1 << players)[:, None] >> np.arange(players) & 1) - 1


@given(strengths)
def test_the_kernel_is_its_formula(rho: list[float]) -> None:
    """sinh(Σ λ z z')/sinh(Σ λ) + 10 z·z'/m."""
    signs = all_signs(len(rho))
    rates = np.arctanh(rho)
    expected = np.sinh(signs * rates @ signs.T) / np.sinh(rates.sum()) + 10 / len(rho) * signs @ signs.T
    np.testing.assert_allclose(OddKernel(np.array(rho)).between(signs, signs), expected, atol=1e-10)


@given(strengths)
def test_attributions_of_sections_are_their_shapley_values(rho: list[float]) -> None:
    """The Shapley values of z ↦ K(z, z'), by their definition, for every z'."""
    kernel, signs = OddKernel(np.array(rho)), all_signs(len(rho))
    sections = TableGame(kernel.between(signs, signs))
    np.testing.assert_allclose(kernel.attributions(signs), sections.shapley().T, atol=1e-10)


@given(strengths)
def test_variances_are_shapley_values_of_shapley_values(rho: list[float]) -> None:
    """φ_i of z' ↦ φ_i K(·, z')."""
    kernel, signs = OddKernel(np.array(rho)), all_signs(len(rho))
    twice = TableGame(kernel.attributions(signs)).shapley()
    np.testing.assert_allclose(kernel.attribution_variances(), np.diag(twice), atol=1e-10)


def test_many_strong_players_do_not_overflow() -> None:
    """512 players at ρ = 0.9: every number is finite, a coalition's covariance with itself is 1 + 10, and the
    section of all players, to whom all are alike, is shared alike and efficiently.
    """
    kernel, everyone = OddKernel(np.full(512, 0.9)), np.ones((1, 512))
    itself = kernel.between(everyone, everyone)
    np.testing.assert_allclose(itself, 1 + OWN_EFFECTS)
    np.testing.assert_allclose(kernel.attributions(everyone), 2 * itself.item() / 512, rtol=1e-9)
    assert np.isfinite(kernel.attribution_variances()).all()
