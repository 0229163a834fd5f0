"""The parts of the Gaussian process that follow from its kernel and the pairs of a sample, before any value is known.

Let K be the covariance of the known coalitions, with a nugget, and Φ the Shapley values of the kernel's sections
(odd_kernel.py). Then the process is a linear map of the known values g, and a solution is two matrix-vector products:

    φ = Φᵀα = Cᵀg,   α = K⁻¹g,   C = K⁻¹Φ            the attributions, and the weight of each value in them
    e_p = α_p/(K⁻¹)_pp                               the error at p, if p had not been known (Dubrule 1983)
    Var φ_i = (φ_i φ'_i K - Φ_iᵀC_i)·σ²,  σ² = mean of α_p²/(K⁻¹)_pp, that is of e_p² in units of its variance

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, §2.2 and §5.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.gaussian_process import NUGGET, whitening
from sequela.timeshap.control_variate.odd_kernel import OddKernel, scaled_product
from sequela.timeshap.pair_order import Pairs


@dataclass(frozen=True, slots=True, eq=False)
class ProcessDesign:
    """A process that knows the full coalition and the pairs of a sample, without their values.

    Attributes:
        inverse: K⁻¹, (p + 1, p + 1). The first row is the full coalition.
        precision: Its diagonal, (p + 1, 1).
        weights: The weight C of each value in the attributions, (p + 1, m).
        jackknife: C² times the unknown share of the pair's stratum, 1 - k_s/N_s, (p, m).
        variances: The variance of each attribution before any value is known, less the part that the values explain, in
            units of the process's variance, (m,).
        unknown: The unknown share of each pair's stratum, and 0 for the full coalition, (p + 1, 1).
    """

    inverse: NDArray[np.floating[Any]]
    precision: NDArray[np.float64]
    weights: NDArray[np.float64]
    jackknife: NDArray[np.float64]
    variances: NDArray[np.float64]
    unknown: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """How many bytes the arrays hold."""
        return self.inverse.nbytes + 2 * (self.weights.nbytes + self.precision.nbytes)

    def alpha(self, known: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns α = K⁻¹g for the known values g, both (p + 1, targets)."""
        return scaled_product(self.inverse, known)


def process_design(
    kernel: OddKernel,
    signs: NDArray[np.float64],
    unknown_shares: NDArray[np.float64],
    precision: type[np.floating[Any]],
) -> ProcessDesign:
    """Returns the process with this kernel, which knows these coalitions.

    Args:
        kernel: The covariance.
        signs: The full coalition and the known pairs as signs z = ±1, (p + 1, m).
        unknown_shares: For each pair, the unknown share of its stratum, 1 - k_s/N_s, (p,).
        precision: The type of K⁻¹. Single precision halves the memory of a design that is kept. The left-out errors are
            then off by about 1e-7 of the largest value, as are the outputs of a float32 model.
    """
    covariance = kernel.between(signs, signs)
    covariance[np.diag_indices_from(covariance)] += NUGGET
    factor = whitening(covariance)
    inverse = factor.T @ factor
    sections = kernel.attributions(signs)
    weights = inverse @ sections
    unknown = np.append(0.0, unknown_shares)[:, None]
    left = kernel.attribution_variances() - (sections * weights).sum(axis=0)
    return ProcessDesign(
        inverse=inverse.astype(precision, copy=False),
        precision=np.diag(inverse)[:, None].copy(),
        weights=weights,
        jackknife=np.square(weights[1:]) * unknown[1:],
        # Rounding can take the difference of two nearly equal numbers below 0.
        variances=np.maximum(left, 0.0),
        unknown=unknown,
    )


def known_signs(sampler: Pairs, counts: Sequence[int]) -> NDArray[np.float64]:
    """Returns the full coalition and the first `counts` pairs of each stratum as signs z = ±1, (p + 1, m)."""
    named = [sampler.pairs(stratum, 0, count) for stratum, count in enumerate(counts)]
    everyone = np.ones((1, sampler.players), dtype=bool)
    return np.where(np.concatenate([everyone, *named]), 1.0, -1.0)
