"""The scale on which outputs are explained (docs/design.md §4.7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.errors import DoesNotFit
from sequela.explain.schema import Link

LOWEST = 2.0**-24
"""Probabilities are clipped to [LOWEST, 1 - LOWEST], because a float32 model has no finer resolution near 1."""
PROBABILITY_ROUNDING = 1e-6
"""How far a probability may lie outside [0, 1] because of rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class LinkedValues:
    """Values (n, targets) on the link's scale, and how many of the n rows were clipped."""

    values: NDArray[np.float64]
    clipped: int


def apply_link(link: Link, raw: NDArray[np.float64]) -> LinkedValues:
    """Applies the link to raw outputs (n, targets).

    Raises:
        DoesNotFit: The link is logit, and an output is not a probability.
    """
    if link is Link.IDENTITY:
        return LinkedValues(raw, 0)
    if raw.min() < -PROBABILITY_ROUNDING or raw.max() > 1 + PROBABILITY_ROUNDING:
        worst = raw.flat[np.abs(raw - 0.5).argmax()]
        raise DoesNotFit(
            "OUTPUT_NOT_PROBABILITY",
            f"the logit link needs outputs in [0, 1], but the model returned {worst:g}; use the identity link",
        )
    clipped = np.clip(raw, LOWEST, 1 - LOWEST)
    # log1p keeps the digits of probabilities near 0.
    return LinkedValues(np.log(clipped) - np.log1p(-clipped), int((clipped != raw).any(axis=1).sum()))
