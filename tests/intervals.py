"""How often 95 % intervals hold the truth: for every player on its own, since an average hides one that is missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sequela.timeshap.regression import Solution

DEVIATIONS = 1.96
ROUNDING = 1e-9


@dataclass(frozen=True)
class Coverage:
    """Shares of seeds: of all players together, of the player missed most, and of the three largest together."""

    pooled: float
    worst: float
    top: float


def coverage(solutions: Sequence[Solution], truth: NDArray[np.float64]) -> Coverage:
    """solutions: one of each seed, of one target. truth: (players, 1)."""
    errors = np.array([solution.errors for solution in solutions])
    off = np.abs(np.array([solution.values for solution in solutions]) - truth)
    held = (off <= DEVIATIONS * errors + ROUNDING)[:, :, 0]
    largest = np.argsort(-np.abs(truth[:, 0]))[:3]
    return Coverage(float(held.mean()), float(held.mean(axis=0).min()), float(held[:, largest].mean()))


def at_least(seeds: int, share: float) -> float:
    """A bound that the least of 30 shares of so many seeds hardly ever misses, if `share` is each one's probability."""
    return share - 3.2 * float(np.sqrt(share * (1 - share) / seeds))
