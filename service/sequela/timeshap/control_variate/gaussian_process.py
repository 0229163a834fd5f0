"""A Gaussian process on the odd part g of a game: what some of its values say about the rest.

With K the covariance of p known coalitions (and a nugget, which keeps it invertible and takes up the noise of float32
models), L Lᵀ = K, α = K⁻¹g, and Φ the Shapley values of the kernel's sections (odd_kernel.py):

    φ = Φᵀα = Cᵀg,   C = K⁻¹Φ                        the attributions, and each value's weight in them
    e_p = α_p/(K⁻¹)_pp                               the error at p, had p not been known (Dubrule 1983)
    Var φ_i = (φ_i φ'_i K - Φ_iᵀC_i)·σ²,  σ² = mean of α_p²/(K⁻¹)_pp, that is of e_p² in units of its variance

Rasmussen and Williams, Gaussian Processes for Machine Learning, §2.2 and §5.4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.odd_kernel import OddKernel

NUGGET = 1e-6
"""Variance of noise, in units of that of the interactions. 1e-8 gave the same, 1e-2 up to ten times the error."""
BLOCK = 64
"""Matrices up to this size are inverted in one go."""


@dataclass(frozen=True, eq=False)
class OddProcess:
    """Conditioned on what is known. signs: coalitions z, (p, m); odd: their g, (p, targets), no target all 0."""

    kernel: OddKernel
    signs: NDArray[np.float64]
    odd: NDArray[np.float64]

    @cached_property
    def attributions(self) -> NDArray[np.float64]:
        """φ of the process's mean, (m, targets)."""
        return self.pulls.T @ self.odd

    @cached_property
    def pulls(self) -> NDArray[np.float64]:
        """C: what each known value weighs in the attributions, (p, m)."""
        return self._whitening.T @ (self._whitening @ self._sections)

    @cached_property
    def residuals(self) -> NDArray[np.float64]:
        """What the nugget left of g, (p, targets)."""
        return NUGGET * self._weights

    @cached_property
    def left_out(self) -> NDArray[np.float64]:
        """e: how far each known value is from what the others predict, (p, targets)."""
        return self._weights / self._precisions

    def variances(self, rows: slice) -> NDArray[np.float64]:
        """Var φ, (m, targets), scaled to the left-out errors of some rows."""
        spread = (self._weights[rows] ** 2 / self._precisions[rows]).mean(axis=0)
        left = self.kernel.attribution_variances() - (self._sections * self.pulls).sum(axis=0)
        return np.outer(np.maximum(left, 0.0), spread)

    @cached_property
    def likelihood(self) -> float:
        """The logarithm of g's probability, each target scaled to make it largest; mean over targets, less a
        constant.
        """
        logs = np.log(self._spread).mean()
        return float(np.log(np.diag(self._whitening)).sum() - len(self.odd) * logs / 2)

    def likelihood_slopes(self) -> NDArray[np.float64]:
        """Its derivatives by the kernel's λ, (m,)."""
        scaled = self._weights / np.sqrt(self._spread * len(self._spread))
        return self.kernel.slopes(self.signs, scaled @ scaled.T - self._whitening.T @ self._whitening) / 2

    @cached_property
    def _whitening(self) -> NDArray[np.float64]:
        """The inverse factor L⁻¹, (p, p)."""
        covariance = self.kernel.between(self.signs, self.signs)
        covariance[np.diag_indices_from(covariance)] += NUGGET
        return whitening(covariance)

    @cached_property
    def _spread(self) -> NDArray[np.float64]:
        """The likeliest scale of each target, as a variance, (targets,)."""
        return np.asarray(np.square(self._whitening @ self.odd).mean(axis=0))

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """The weights α, (p, targets)."""
        return self._whitening.T @ (self._whitening @ self.odd)

    @cached_property
    def _precisions(self) -> NDArray[np.float64]:
        """The diagonal of K⁻¹, (p, 1)."""
        return np.asarray(np.einsum("ij,ij->j", self._whitening, self._whitening)[:, None])

    @cached_property
    def _sections(self) -> NDArray[np.float64]:
        """The attributions Φ of the sections, (p, m)."""
        return self.kernel.attributions(self.signs)


def whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """L⁻¹ of L Lᵀ = K, (p, p). By halves: nearly all of it is products of matrices, which are fast.

    Raises numpy.linalg.LinAlgError unless K is positive definite.
    """
    size = len(covariance)
    if size <= BLOCK:
        return np.asarray(np.tril(np.linalg.inv(np.linalg.cholesky(covariance))))
    half = size // 2
    first = whitening(covariance[:half, :half])
    across = covariance[half:, :half] @ first.T
    second = whitening(covariance[half:, half:] - across @ across.T)
    whole = np.zeros_like(covariance)
    whole[:half, :half], whole[half:, half:] = first, second
    whole[half:, :half] = -second @ (across @ first)
    return whole
