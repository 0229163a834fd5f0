"""Temporal coalition pruning (TimeSHAP Algorithm 1) and what it leaves open (docs/design.md §4.1, §4.3).

A split after event i (counted from the oldest, 1 … l - 1) makes two players: the i oldest events, and
everything else (recent events and static inputs). The older player's Shapley value in that game is

    w1 = ½ [(f(X_1:i, B) - f(B)) + (f(X) - f(B_1:i, X_i+1:l))]

and the cut is the largest i with |w1| < η for every target; 0 where there is none.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.players import Players

FIRST_WINDOW = 8
LARGEST_WINDOW = 512


class Verdict(StrEnum):
    """How the pruned block's attribution compares with the tolerance, two standard errors considered.

    OFFSETTING: the block as a whole is not sure to exceed the tolerance, but an older split of the scanned curve does,
    so parts of the block offset each other. WITHIN speaks of the block as a whole, and of the splits that were scanned.
    """

    WITHIN = "within"
    EXCEEDS = "exceeds"
    UNCERTAIN = "uncertain"
    OFFSETTING = "offsetting"


def scan_order(length: int) -> NDArray[np.intp]:
    """The splits i of a sequence, from the recent end: l - 1, l - 2, …, 1."""
    return np.arange(length - 1, 0, -1, dtype=np.intp)


def scan_windows(length: int) -> list[NDArray[np.intp]]:
    """The splits in the order of the scan, in windows of 8, 16, 32 … of them: a scan that ends early has run little
    in vain, and one that goes on needs few windows.
    """
    order = scan_order(length)
    sizes = [min(FIRST_WINDOW << step, LARGEST_WINDOW) for step in range(len(order) // LARGEST_WINDOW + 8)]
    edges = np.cumsum([0, *sizes])
    return [order[start:stop] for start, stop in pairwise(edges) if start < len(order)]


def window_ends(length: int) -> list[int]:
    """The oldest split of each window of the scan, ascending: everything a window runs begins there."""
    return [int(window[-1]) for window in reversed(scan_windows(length))]


def split_coalitions(players: Players, splits: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Coalitions (2k, players) that k splits ask for, over event players without blocks.

    First the k coalitions (X_1:i, B), then the k coalitions (B_1:i, X_i+1:l).
    """
    older = np.arange(len(players))[None, :] < splits[:, None]
    return np.concatenate([older, ~older])


def importances(
    values: NDArray[np.float64], base: NDArray[np.float64], score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """w1 for k splits, (k, targets), from the values (2k, targets) of `split_coalitions`, f(B) and f(X),
    (targets,).
    """
    older, recent = np.split(values, 2)
    return 0.5 * ((older - base) + (score - recent))


def first_prunable(curve: NDArray[np.float64], tolerance: NDArray[np.float64]) -> int | None:
    """The first row of a curve (k, targets) with |w1| < η (targets,) for every target; None where there is
    none.
    """
    hits = np.flatnonzero((np.abs(curve) < tolerance).all(axis=1))
    return int(hits[0]) if len(hits) else None


def verdict(attribution: float, error: float, tolerance: float, peak: float = 0.0) -> Verdict:
    """Compares P's attribution for one target with the tolerance. peak: the largest |w1| of an older split.

    What is sure of P as a whole comes first, then what the curve knows, which has no sampling error.
    """
    if abs(attribution) - 2 * error > tolerance:
        return Verdict.EXCEEDS
    if peak > tolerance:
        return Verdict.OFFSETTING
    if abs(attribution) + 2 * error <= tolerance:
        return Verdict.WITHIN
    return Verdict.UNCERTAIN
