"""Measures how often 95 % intervals contain the truth, for each player, since an average hides one that is always
missed.
"""

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
    """The share of seeds whose interval contains the truth: over all players, for the player missed most, and over the
    three largest.
    """

    pooled: float
    worst: float
    top: float


def coverage(solutions: Sequence[Solution], truth: NDArray[np.float64]) -> Coverage:
    """Computes the coverage of the solutions of one target, one for each seed. `truth` is (players, 1)."""
    errors = np.array([solution.errors for solution in solutions])
    off = np.abs(np.array([solution.values for solution in solutions]) - truth)
    held = (off <= DEVIATIONS * errors + ROUNDING)[:, :, 0]
    largest = np.argsort(-np.abs(truth[:, 0]))[:3]
    return Coverage(float(held.mean()), float(held.mean(axis=0).min()), float(held[:, largest].mean()))


def at_least(seeds: int, share: float) -> float:
    """Returns a bound below which the smallest of 30 shares of that many seeds hardly ever falls, if `share` is the
    probability of each.
    """
    return share - 3.2 * float(np.sqrt(share * (1 - share) / seeds))
