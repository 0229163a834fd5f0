"""Runs the pruning scan: from the recent end, a window of splits at a time, stopping at the cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.timeshap.players import Extent, event_players
from sequela.timeshap.pruning import first_prunable, importances, scan_order, scan_windows, split_coalitions


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


@dataclass(frozen=True, slots=True, eq=False)
class Scanner:
    """Scans one sequence. base, score: f(B) and f(X); tolerance: η; each (targets,). until: on the monotonic clock."""

    evaluator: Evaluator
    extent: Extent
    base: NDArray[np.float64]
    score: NDArray[np.float64]
    tolerance: NDArray[np.float64]
    until: float

    def to_the_cut(self) -> Scan:
        """Scans until the first prunable split (TimeSHAP Algorithm 1).

        A tolerance of 0 for some target prunes nothing (|w1| < 0 never holds), so nothing is scanned.
        """
        if not (self.tolerance > 0).all():
            return not_scanned(len(self.base))
        return self._scan(lambda curve: first_prunable(curve, self.tolerance) is not None)

    def beyond_the_cut(self) -> Scan:
        """Scans every split, unless nothing can be pruned: what lies within P is looked at too."""
        return self.whole_curve() if (self.tolerance > 0).all() else not_scanned(len(self.base))

    def whole_curve(self) -> Scan:
        """Scans every split (TimeSHAP Fig. 5a); the cut is the same."""
        return self._scan(lambda _: False)

    def _scan(self, enough: Callable[[NDArray[np.float64]], bool]) -> Scan:
        """Scans a window of splits at a time, until a window's part of the curve is enough."""
        players = event_players(self.extent, blocks=())
        order = scan_order(self.extent.length)
        curve = np.empty((0, len(self.base)))
        for splits in scan_windows(self.extent.length):
            start = len(curve)
            try:
                values = self.evaluator.values(players, split_coalitions(players, splits), self.until)
            except DeadlinePassed:
                return self._unfinished(order[:start], curve)
            curve = np.concatenate([curve, importances(values, self.base, self.score)])
            if enough(curve[start:]):
                break
        return Scan(self._cut(order, curve), order[: len(curve)], curve)

    def _cut(self, order: NDArray[np.intp], curve: NDArray[np.float64]) -> int:
        row = first_prunable(curve, self.tolerance)
        return 0 if row is None else int(order[row])

    def _unfinished(self, scanned: NDArray[np.intp], curve: NDArray[np.float64]) -> Scan:
        """What was found before time ran out; without a cut, P is everything that was not scanned."""
        oldest = int(scanned[-1]) if len(scanned) else self.extent.length
        return Scan(self._cut(scanned, curve) or oldest - 1, scanned, curve, complete=False)
