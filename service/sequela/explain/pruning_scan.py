"""Runs the pruning scan: window by window of splits, from the recent end up to the cut.

This is TimeSHAP's Algorithm 1 (docs/design.md §4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import DeadlinePassed
from sequela.explain.base_and_score import ScoredTask
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.levels.definition import LevelDefinition
from sequela.explain.option_defaults import budget_of
from sequela.explain.options import Options
from sequela.explain.task import Task
from sequela.timeshap.players import Extent
from sequela.timeshap.pruning import (
    first_prunable,
    importances,
    scan_order,
    scan_windows,
    split_coalitions,
    split_players,
)

SCAN_SHARE = 0.5
"""The largest share of the time left that the scan may take."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The result of the scan.

    Attributes:
        pruned: The number of events in the pruned block P.
        splits: The splits that were scanned, most recent first, (k,).
        curve: w1 of these splits, (k, targets).
        complete: False if time ran out. P then contains everything that is older than the scanned part.
    """

    pruned: int
    splits: NDArray[np.intp]
    curve: NDArray[np.float64]
    complete: bool = True


def scan_for(scored: ScoredTask, tolerance: NDArray[np.float64], levels: Sequence[LevelDefinition]) -> Scan:
    """Finds the cut for the levels of a request. Nothing is scanned if none of them needs a cut.

    Args:
        scored: The request with its scores.
        tolerance: η, (targets,).
        levels: The levels that will be played.

    Raises:
        Cancelled: The caller cancelled the request.
        DoesNotFit: The model failed.
    """
    task, scores, options = scored.task, scored.scores, scored.task.request.options
    if not needs_scan(options, levels):
        return empty_scan(len(scores.base))
    deadline = scored.evaluator.deadline
    # The levels must have time even if the whole sequence is scanned.
    until = deadline.now() + SCAN_SHARE * deadline.remaining
    scanner = Scanner(scored.evaluator, task.extent, scores.base, scores.score, tolerance, until)
    if options.full_pruning_curve:
        return scanner.whole_curve()
    return scanner.beyond_the_cut() if _takes_whole_curve(task, levels) else scanner.to_the_cut()


def needs_scan(options: Options, levels: Sequence[LevelDefinition]) -> bool:
    """Returns whether the answer has a pruning part. A request without levels asks only for the scan."""
    return options.full_pruning_curve or not levels or any(each.needs_cut(options) for each in levels)


def _takes_whole_curve(task: Task, levels: Sequence[LevelDefinition]) -> bool:
    """Returns whether a level splits P by the curve within P, and the curve costs no more than a level does.

    Behind an endpoint, the full curve is only scanned if it takes no more rows than a level may. Otherwise P is split
    by the part of the curve that was scanned for the cut, and in halves.
    """
    options, endpoint = task.request.options, task.model.endpoint
    wanted = any(each.needs_whole_curve(options) for each in levels)
    rows = 2 * (task.prepared.cells.length - 1)
    return wanted and (endpoint is None or rows <= budget_of(options, endpoint))


def empty_scan(targets: int) -> Scan:
    """Returns the result if nothing is scanned: nothing is pruned."""
    return Scan(0, scan_order(1), np.empty((0, targets)))


@dataclass(frozen=True, slots=True, eq=False)
class Scanner:
    """Scans one sequence.

    Attributes:
        evaluator: Returns the values of coalitions.
        extent: The size of the sequence.
        base: f(B) after the link, (targets,).
        score: f(X) after the link, (targets,).
        tolerance: η, (targets,).
        until: When the scan must end, in seconds on the monotonic clock.
    """

    evaluator: Evaluator
    extent: Extent
    base: NDArray[np.float64]
    score: NDArray[np.float64]
    tolerance: NDArray[np.float64]
    until: float

    def to_the_cut(self) -> Scan:
        """Scans up to the first prunable split (TimeSHAP Algorithm 1).

        If η is 0 for any target, nothing can be pruned, because |w1| < 0 is never true. So nothing is scanned.
        """
        if not (self.tolerance > 0).all():
            return empty_scan(len(self.base))
        return self._scan(lambda curve: first_prunable(curve, self.tolerance) is not None)

    def beyond_the_cut(self) -> Scan:
        """Scans every split, so that the curve within P is known too, unless nothing can be pruned."""
        return self.whole_curve() if (self.tolerance > 0).all() else empty_scan(len(self.base))

    def whole_curve(self) -> Scan:
        """Scans every split (TimeSHAP Fig. 5a). The cut is the same as that of `to_the_cut`."""
        return self._scan(lambda _: False)

    def _scan(self, is_enough: Callable[[NDArray[np.float64]], bool]) -> Scan:
        """Scans window after window until `is_enough` returns True for the curve of a window, (splits, targets)."""
        order = scan_order(self.extent.length)
        curve = np.empty((0, len(self.base)))
        for splits in scan_windows(self.extent.length):
            start = len(curve)
            try:
                # Building the players takes time as well, so the deadline is checked before it.
                self.evaluator.deadline.check(self.until)
                players = split_players(self.extent, splits)
                values = self.evaluator.values(players, split_coalitions(players, splits), self.until)
            except DeadlinePassed:
                return self._partial_scan(order[:start], curve)
            curve = np.concatenate([curve, importances(values, self.base, self.score)])
            if is_enough(curve[start:]):
                break
        return Scan(self._cut(order, curve), order[: len(curve)], curve)

    def _cut(self, order: NDArray[np.intp], curve: NDArray[np.float64]) -> int:
        row = first_prunable(curve, self.tolerance)
        return 0 if row is None else int(order[row])

    def _partial_scan(self, scanned: NDArray[np.intp], curve: NDArray[np.float64]) -> Scan:
        """Returns the result if time ran out. If no cut was found, P is everything that was not scanned."""
        # The last split that was scanned did not qualify, so P ends one event before it.
        oldest = int(scanned[-1]) if len(scanned) else self.extent.length
        return Scan(self._cut(scanned, curve) or oldest - 1, scanned, curve, complete=False)
