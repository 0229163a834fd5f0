"""Runs the pruning scan: from the recent end, a batch of splits at a time, stopping at the cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.clock import TimeUp
from sequela.explaining.evaluating import Evaluator
from sequela.timeshap.players import Extent, event_players
from sequela.timeshap.pruning import first_prunable, importances, scan_order, split_coalitions


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What the scan found.

    pruned: events in P. splits: the splits scanned, from the recent end, (k,). curve: their w1, (k,
    targets). complete: False where time ran out; everything older than the scanned part is then in P.
    """

    pruned: int
    splits: NDArray[np.intp]
    curve: NDArray[np.float64]
    complete: bool = True


def not_scanned(targets: int) -> Scan:
    """Nothing pruned, nothing asked."""
    return Scan(0, scan_order(1), np.empty((0, targets)))


def scan(
    evaluator: Evaluator,
    extent: Extent,
    base: NDArray[np.float64],
    score: NDArray[np.float64],
    tolerance: NDArray[np.float64],
    until: float,
) -> Scan:
    """Scans until the first prunable split (TimeSHAP Algorithm 1). base, score, tolerance: (targets,).

    A tolerance of 0 for some target prunes nothing (|w1| < 0 never holds), so nothing is scanned.
    """
    if not (tolerance > 0).all():
        return not_scanned(len(base))
    return _scan(evaluator, extent, base, score, tolerance, until, stop_at_cut=True)


def whole_curve(
    evaluator: Evaluator,
    extent: Extent,
    base: NDArray[np.float64],
    score: NDArray[np.float64],
    tolerance: NDArray[np.float64],
    until: float,
) -> Scan:
    """Scans every split (TimeSHAP Fig. 5a); the cut is the same."""
    return _scan(evaluator, extent, base, score, tolerance, until, stop_at_cut=False)


def _scan(
    evaluator: Evaluator,
    extent: Extent,
    base: NDArray[np.float64],
    score: NDArray[np.float64],
    tolerance: NDArray[np.float64],
    until: float,
    *,
    stop_at_cut: bool,
) -> Scan:
    players = event_players(extent, blocks=())
    order = scan_order(extent.length)
    step = max(evaluator.rows // 2, 1)
    curve = np.empty((0, len(base)))
    for start in range(0, len(order), step):
        splits = order[start : start + step]
        try:
            values = evaluator.values(players, split_coalitions(players, splits), until)
        except TimeUp:
            return _unfinished(extent, order[:start], curve, tolerance)
        curve = np.concatenate([curve, importances(values, base, score)])
        if stop_at_cut and first_prunable(curve[start:], tolerance) is not None:
            break
    return Scan(_cut(order, curve, tolerance), order[: len(curve)], curve)


def _cut(order: NDArray[np.intp], curve: NDArray[np.float64], tolerance: NDArray[np.float64]) -> int:
    row = first_prunable(curve, tolerance)
    return 0 if row is None else int(order[row])


def _unfinished(
    extent: Extent, scanned: NDArray[np.intp], curve: NDArray[np.float64], tolerance: NDArray[np.float64]
) -> Scan:
    """What was found before time ran out; without a cut, P is everything that was not scanned."""
    found = _cut(scanned, curve, tolerance)
    oldest = int(scanned[-1]) if len(scanned) else extent.length
    return Scan(found or oldest - 1, scanned, curve, complete=False)
