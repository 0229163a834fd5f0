"""A Gaussian process on the odd part g of a game, which predicts unknown values of g from known ones.

Let K be the covariance of p known coalitions, with a nugget that keeps it invertible and absorbs the noise of float32
models, L Lᵀ = K, α = K⁻¹g, and Φ the Shapley values of the kernel's sections (odd_kernel.py). Then

    φ = Φᵀα = Cᵀg,   C = K⁻¹Φ                        the attributions, and the weight of each value in them
    e_p = α_p/(K⁻¹)_pp                               the error at p, if p had not been known (Dubrule 1983)
    Var φ_i = (φ_i φ'_i K - Φ_iᵀC_i)·σ²,  σ² = mean of α_p²/(K⁻¹)_pp, that is of e_p² in units of its variance

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, §2.2 and §5.4.2. See also docs/estimator.md,
"The control variate".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.odd_kernel import OddKernel

NUGGET = 1e-6
"""Variance of the noise, relative to that of the interactions. 1e-8 gave the same results, and 1e-2 up to ten times the
error.
"""
MAX_DIRECT_SIZE = 64
"""Matrices up to this size are inverted directly."""


@dataclass(frozen=True, eq=False)
class OddProcess:
    """The process, conditioned on known values.

    Attributes:
        kernel: The covariance.
        signs: The known coalitions as signs z = ±1, (p, m).
        odd: The odd parts g of these coalitions, (p, targets). No target may be 0 for all of them.
    """

    kernel: OddKernel
    signs: NDArray[np.float64]
    odd: NDArray[np.float64]

    @cached_property
    def attributions(self) -> NDArray[np.float64]:
        """The attributions φ of the process's mean, (m, targets)."""
        return self.weights.T @ self.odd

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """The weight C of each known value in the attributions, (p, m)."""
        return self._whitening.T @ (self._whitening @ self._sections)

    @cached_property
    def residuals(self) -> NDArray[np.float64]:
        """The part of g that the nugget absorbs, (p, targets)."""
        return NUGGET * self._alpha

    @cached_property
    def left_out(self) -> NDArray[np.float64]:
        """The left-out errors e: the difference between each known value and its prediction from the others,
        (p, targets).
        """
        return self._alpha / self._precision

    def variances(self, rows: slice) -> NDArray[np.float64]:
        """Returns Var φ, (m, targets), with σ² from the left-out errors of these rows."""
        spread = (self._alpha[rows] ** 2 / self._precision[rows]).mean(axis=0)
        left = self.kernel.attribution_variances() - (self._sections * self.weights).sum(axis=0)
        # Rounding can take the difference of two nearly equal numbers below 0.
        return np.outer(np.maximum(left, 0.0), spread)

    @cached_property
    def likelihood(self) -> float:
        """The log-likelihood of g up to a constant, averaged over targets.

        The scale of each target is the one that maximises its likelihood.
        """
        logs = np.log(self._spread).mean()
        return float(np.log(np.diag(self._whitening)).sum() - len(self.odd) * logs / 2)

    def likelihood_slopes(self) -> NDArray[np.float64]:
        """Returns the derivatives of `likelihood` by the kernel's λ, (m,)."""
        scaled = self._alpha / np.sqrt(self._spread * len(self._spread))
        return self.kernel.slopes(self.signs, scaled @ scaled.T - self._whitening.T @ self._whitening) / 2

    @cached_property
    def _whitening(self) -> NDArray[np.float64]:
        """The inverse factor L⁻¹, (p, p)."""
        covariance = self.kernel.between(self.signs, self.signs)
        covariance[np.diag_indices_from(covariance)] += NUGGET
        return whitening(covariance)

    @cached_property
    def _spread(self) -> NDArray[np.float64]:
        """The most likely scale of each target, as a variance, (targets,)."""
        return np.asarray(np.square(self._whitening @ self.odd).mean(axis=0))

    @cached_property
    def _alpha(self) -> NDArray[np.float64]:
        """α = K⁻¹g, (p, targets)."""
        return self._whitening.T @ (self._whitening @ self.odd)

    @cached_property
    def _precision(self) -> NDArray[np.float64]:
        """The diagonal of K⁻¹, (p, 1)."""
        return np.asarray(np.einsum("ij,ij->j", self._whitening, self._whitening)[:, None])

    @cached_property
    def _sections(self) -> NDArray[np.float64]:
        """The attributions Φ of the kernel's sections, (p, m)."""
        return self.kernel.attributions(self.signs)


def whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns L⁻¹, where L Lᵀ = K, (p, p).

    Splits the matrix in halves recursively, so that nearly all of the work is fast matrix products.

    Raises:
        numpy.linalg.LinAlgError: K is not positive definite.
    """
    size = len(covariance)
    if size <= MAX_DIRECT_SIZE:
        return np.asarray(np.tril(np.linalg.inv(np.linalg.cholesky(covariance))))
    half = size // 2
    first = whitening(covariance[:half, :half])
    across = covariance[half:, :half] @ first.T
    second = whitening(covariance[half:, half:] - across @ across.T)
    whole = np.zeros_like(covariance)
    whole[:half, :half], whole[half:, half:] = first, second
    # The inverse of [[A, 0], [B, C]] is [[A⁻¹, 0], [-C⁻¹ B A⁻¹, C⁻¹]].
    whole[half:, :half] = -second @ (across @ first)
    return whole
