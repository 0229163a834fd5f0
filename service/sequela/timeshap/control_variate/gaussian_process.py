"""A Gaussian process on the odd part g of a game, and how likely its kernel makes the known values of g.

Let K be the covariance of p known coalitions, with a nugget that keeps it invertible and absorbs the noise of float32
models, L Lᵀ = K, and α = K⁻¹g. The kernel is chosen by the likelihood of g (kernel_choice.py). What the process then
says of a game follows from its design (process_design.py).

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, §2.2 and §5.4.1. See also docs/estimator.md,
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
