"""The sections K(·, z') of the kernel (odd_kernel.py) at known coalitions z', summed as fast as possible.

A sum Σ_q w_q K(·, z'_q) of a thousand sections is needed at many thousands of coalitions. Nearly all of its time goes
into a = Σ λ_i z_i z'_i and its exponential, which single precision makes twice as fast:

- Each λ_i is rounded to a multiple of a power of two, so that single precision holds every sum of them exactly. This
  changes the kernel, but far too little to matter, and for all coalitions alike. Otherwise the rounding errors of a
  would differ from one z' to the next. If most of 100 players have the same λ, they add up to ten times those of 46
  players, and weights in the thousands, most of which cancel, would multiply them.
- 2 sinh a = e^a - 1/e^a takes one exponential. Neither term leaves the range of single precision, because |a| <= b, and
  b is below 17 for all rank kernels. It is above 1.3 for all of them, so rounding the two terms, which are nearly alike
  if a is small, is an error of less than 5e-7 in K.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.control_variate.odd_kernel import OWN_EFFECTS, OddKernel, scaled_product

MIN_BOUND = 1.0
"""The smallest b of a kernel. The difference of the exponentials of a smaller one would lose digits."""
MAX_BOUND = 40.0
"""The largest b of a kernel. Single precision also holds sums of e^40."""
BITS = np.finfo(np.float32).nmant
"""How many bits b has. Single precision has one more, for what rounding adds to b."""


def exact_in_single(kernel: OddKernel) -> OddKernel:
    """Returns the kernel with rounded rates λ, whose sums with any signs are exact in single precision."""
    _, exponent = np.frexp(kernel.bound)
    step = np.ldexp(1.0, int(exponent) - BITS)
    return OddKernel(np.tanh(np.round(kernel.rates / step) * step))


@dataclass(frozen=True, slots=True, eq=False)
class Sections:
    """Sections of a kernel.

    Attributes:
        kernel: The kernel. Its rates are exact in single precision, and its b is `MIN_BOUND` to `MAX_BOUND`.
        signs: The known coalitions z', (q, m).
    """

    kernel: OddKernel
    signs: NDArray[np.float32]

    def near(
        self, signs: NDArray[np.float32], precision: type[np.floating[Any]] = np.float32
    ) -> NDArray[np.floating[Any]]:
        """Returns 2 sinh a for coalitions z (p, m) and all z', (p, q)."""
        rated = self.signs * self.kernel.rates.astype(np.float32)
        result = np.matmul(signs, rated.T).astype(precision, copy=False)
        np.exp(result, out=result)
        result -= np.reciprocal(result)
        return np.asarray(result)

    def summed(self, weights: NDArray[np.float64]) -> SectionSum:
        """Returns the sum of the sections with weights (q, targets)."""
        own = self.signs.T @ weights * (OWN_EFFECTS / self.signs.shape[1])
        return SectionSum(self, weights, own)


@dataclass(frozen=True, slots=True, eq=False)
class SectionSum:
    """A sum of sections, Σ_q w_q K(·, z'_q).

    Attributes:
        sections: The sections.
        weights: w, (q, targets).
        own: The second term of K as an effect of each player, (m, targets).
    """

    sections: Sections
    weights: NDArray[np.float64]
    own: NDArray[np.float64]

    def at(
        self, signs: NDArray[np.float32], near: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[np.float64]:
        """Returns the sum at coalitions z (p, m), (p, targets).

        In single precision it is off by at most 5e-7 times Σ |w_q|, and usually by 1e-7 times the root of Σ w_q².
        `near` is that of the coalitions, if it is known.
        """
        near = self.sections.near(signs) if near is None else near
        first = scaled_product(near, self.weights) / (2 * np.sinh(self.sections.kernel.bound))
        return np.asarray(first + signs @ self.own)
