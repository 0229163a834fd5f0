"""Temporal coalition pruning (TimeSHAP Algorithm 1, docs/design.md §4.1) and its verdict (§4.3).

A split after event i (counted from the oldest, 1 … l - 1) makes two players: the i oldest events, and everything else,
static inputs included. The Shapley value of the older player in this game is

    w1 = ½ [(f(X_1:i, B) - f(B)) + (f(X) - f(B_1:i, X_i+1:l))]

The cut is the largest i with |w1| < η for every target; 0 if there is none.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sequela.timeshap.players import Extent, Players, event_players

FIRST_WINDOW = 8
"""Splits in the first window of the scan."""
LARGEST_WINDOW = 512
"""The largest number of splits in a window."""


class Verdict(StrEnum):
    """How the attribution of the pruned block compares with the tolerance, with two standard errors.

    OFFSETTING means that the block as a whole does not significantly exceed the tolerance, but an older split of the
    scanned curve does, so parts of the block offset each other. WITHIN refers to the block as a whole and to the splits
    that were scanned.
    """

    WITHIN = "within"
    EXCEEDS = "exceeds"
    UNCERTAIN = "uncertain"
    OFFSETTING = "offsetting"


def scan_order(length: int) -> NDArray[np.intp]:
    """Returns the splits of a sequence of l events, most recent first: l - 1, l - 2, …, 1."""
    return np.arange(length - 1, 0, -1, dtype=np.intp)


def scan_windows(length: int) -> list[NDArray[np.intp]]:
    """Returns the splits in the order of the scan, in windows of 8, 16, 32 … splits.

    With growing windows, a scan that ends early evaluates few unnecessary splits, and a long scan needs few windows.
    """
    order = scan_order(length)
    sizes = [min(FIRST_WINDOW << step, LARGEST_WINDOW) for step in range(len(order) // LARGEST_WINDOW + 8)]
    edges = np.cumsum([0, *sizes])
    return [order[start:stop] for start, stop in pairwise(edges) if start < len(order)]


def window_ends(length: int) -> list[int]:
    """Returns the oldest split of each window, ascending. All coalitions of a window share the events before it."""
    return [int(window[-1]) for window in reversed(scan_windows(length))]


def split_players(extent: Extent, splits: NDArray[np.intp]) -> Players:
    """Returns the players of a window of consecutive splits, (k,), most recent first.

    All events before the oldest split are one player, since no split of the window separates them.
    """
    return event_players(extent, (int(splits[-1]),))


def split_coalitions(players: Players, splits: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Returns the coalitions (2k, players) for k splits: first all (X_1:i, B), then all (B_1:i, X_i+1:l).

    Args:
        players: The players of the event level, whose blocks lie before the oldest split.
        splits: The splits i, (k,).
    """
    # Players of the event level are ordered by event, so the older player of a split are some leading players.
    leading = players.grid[splits, 0]
    older = np.arange(len(players))[None, :] < leading[:, None]
    return np.concatenate([older, ~older])


def importances(
    values: NDArray[np.float64], base: NDArray[np.float64], score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns w1 of k splits, (k, targets).

    Args:
        values: The values of `split_coalitions`, (2k, targets).
        base: f(B), (targets,).
        score: f(X), (targets,).
    """
    # The first half has the older events from X, and the second half from B.
    older, recent = np.split(values, 2)
    return 0.5 * ((older - base) + (score - recent))


def first_prunable(curve: NDArray[np.float64], tolerance: NDArray[np.float64]) -> int | None:
    """Returns the first row of a curve (k, targets) with |w1| < η (targets,) for all targets, or None."""
    hits = np.flatnonzero((np.abs(curve) < tolerance).all(axis=1))
    return int(hits[0]) if len(hits) else None


def verdict(attribution: float, error: float, tolerance: float, peak: float = 0.0) -> Verdict:
    """Compares the attribution of P for one target with the tolerance (docs/design.md §4.3).

    Args:
        attribution: The attribution of P in the level's game.
        error: The standard error of `attribution`.
        tolerance: η.
        peak: The largest |w1| of a split older than the cut. It has no sampling error.
    """
    if abs(attribution) - 2 * error > tolerance:
        return Verdict.EXCEEDS
    if peak > tolerance:
        return Verdict.OFFSETTING
    if abs(attribution) + 2 * error <= tolerance:
        return Verdict.WITHIN
    return Verdict.UNCERTAIN
