"""The kernel: how similar the values of two coalitions are in a smooth game, and its Shapley values in closed form.

Coalitions are written as signs: z_i = 1 if player i is present, else -1. Games are odd: g(-z) = -g(z). With ρ_i in [0,
1) the strength of player i's interactions, λ_i = atanh ρ_i and b = Σλ_i,

    K(z, z') = sinh(Σ λ_i z_i z'_i)/sinh b + 10 z·z'/m.

The first term is the odd part of e^κ Π(1 + ρ_i z_i z'_i), κ = Σ ln cosh λ_i - ln sinh b. It contains the interactions
of one, three, five … players, each weaker by the ρ of its players. The second term leaves the players' own effects
nearly free.

The Shapley value of a product follows from Owen's multilinear extension (Management Science 18, 1972), in which players
join independently, with mean sign s. Even parts add nothing, so in the first term

    φ_i K(·, z')  = e^κ ρ_i z'_i ∫ Π_{j≠i}(1 + ρ_j z'_j s) ds        over -1 … 1
    φ_i φ'_i K    = e^κ ρ_i ∫∫ Π_{j≠i}(1 + ρ_j s s') ds ds'

and 20 z'_i/m and 40/m in the second. The integrands are polynomials of degree m - 1, so Gauss-Legendre quadrature with
⌊m/2⌋ + 1 nodes is exact. Products are taken in logarithms, and Π_{j≠i} by dividing by the player's own factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OWN_EFFECTS = 10.0
"""The total variance of the players' own effects. That of their interactions is 1."""


def scaled_product(matrix: NDArray[np.floating[Any]], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the product of a matrix (p, q) and columns (q, targets), computed in the matrix's precision.

    Columns are scaled before, because in single precision values of any size must neither vanish nor overflow.
    """
    scale = np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float64).tiny)
    product = matrix @ (columns / scale).astype(matrix.dtype)
    return np.asarray(product.astype(np.float64) * scale)


@dataclass(frozen=True, slots=True, eq=False)
class OddKernel:
    """The covariance K of an odd game. `strengths` is ρ, (m,), with values in [0, 1) that are not all 0."""

    strengths: NDArray[np.float64]

    def between(self, signs: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns K between coalitions (p, m) and other coalitions (q, m), (p, q)."""
        rates, bound = self.rates, self.bound
        alike = (signs * rates) @ others.T
        # Compute sinh(a)/sinh(b) from exponentials that cannot overflow, since |a| <= b. Reuse the large arrays.
        result: NDArray[np.float64] = np.exp(alike - bound)
        np.negative(alike, out=alike)
        alike -= bound
        result -= np.exp(alike, out=alike)
        result /= -np.expm1(-2 * bound)
        result += np.matmul(signs * (OWN_EFFECTS / len(rates)), others.T, out=alike)
        return result

    def slopes(self, signs: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns Σ_pq w_pq ∂K(z_p, z_q)/∂λ_i for coalitions (p, m) and weights w (p, p), (m,)."""
        rates, bound = self.rates, self.bound
        alike = (signs * rates) @ signs.T
        up, down = np.exp(alike - bound), np.exp(-alike - bound)
        # sinh and cosh of a over sinh(b): ∂/∂λ_i is z_i z'_i cosh(a)/sinh(b) - coth(b) sinh(a)/sinh(b).
        scale = -np.expm1(-2 * bound)
        own = np.einsum("pi,pi->i", signs, (weights * (up + down)) @ signs)
        common = (weights * (up - down)).sum() * (2 - scale) / scale
        return np.asarray((own - common) / scale)

    def attributions(self, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the Shapley values Φ of z ↦ K(z, z') for coalitions z' (p, m), (p, m)."""
        nodes, weights = self._quadrature
        tilted = np.outer(nodes, self.strengths)
        # ln(1 + ρ s z) = ½ ln(1 - ρ²s²) + z atanh(ρ s), as z is a sign.
        logs = signs @ np.arctanh(tilted).T + (np.log1p(-(tilted**2)).sum(axis=1) / 2 + self._log_scale)
        products = np.exp(logs) * weights
        # z/(1 + ρ s z) = (z - ρ s)/(1 - ρ²s²)
        own = self.strengths / (1 - tilted**2)
        result: NDArray[np.float64] = signs * (products @ own + 2 * OWN_EFFECTS / len(own.T))
        result -= products @ (own * tilted)
        return result

    def attribution_variances(self) -> NDArray[np.float64]:
        """Returns the variance φ_i φ'_i K of each player's attribution before any value is known, (m,)."""
        nodes, weights = self._quadrature
        total = np.zeros(len(self.strengths))
        for node, weight in zip(nodes, weights, strict=True):
            factors = np.log1p(np.outer(nodes * node, self.strengths))
            # The product over all other players, in logarithms.
            others = factors.sum(axis=1, keepdims=True) - factors
            total += weight * (weights @ np.exp(others + self._log_scale))
        return self.strengths * total + 4 * OWN_EFFECTS / len(total)

    @property
    def rates(self) -> NDArray[np.float64]:
        """λ of each player, (m,)."""
        return np.arctanh(self.strengths)

    @property
    def bound(self) -> float:
        """b, the sum of the rates."""
        return float(self.rates.sum())

    @property
    def _log_scale(self) -> float:
        """κ, the logarithm of the factor."""
        log_sinh = self.bound + np.log(-np.expm1(-2 * self.bound) / 2)
        return float(-np.log1p(-(self.strengths**2)).sum() / 2 - log_sinh)

    @property
    def _quadrature(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The nodes and weights on -1 … 1."""
        nodes, weights = np.polynomial.legendre.leggauss(len(self.strengths) // 2 + 1)
        return nodes, weights
