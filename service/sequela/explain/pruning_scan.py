"""Runs the pruning scan: from the recent end, a window of splits at a time, up to the cut.

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
from sequela.timeshap.players import Extent, event_players
from sequela.timeshap.pruning import first_prunable, importances, scan_order, scan_windows, split_coalitions

SCAN_SHARE = 0.5
"""The largest share of the time left that the scan may take."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """The result of the scan.

    Attributes:
        pruned: The number of events in the pruned block P.
        splits: The splits that were scanned, from the recent end, (k,).
        curve: w1 of these splits, (k, targets).
        complete: False if time ran out. Everything older than the scanned part is then in P.
    """

    pruned: int
    splits: NDArray[np.intp]
    curve: NDArray[np.float64]
    complete: bool = True


def scan_for(scored: ScoredTask, tolerance: NDArray[np.float64], levels: Sequence[LevelDefinition]) -> Scan:
    """Finds the cut for the levels of a request; nothing is scanned if none of them needs it.

    Args:
        scored: The request with its scores.
        tolerance: η, (targets,).
        levels: The levels that will be played.

    Raises:
        Cancelled: The caller is gone.
        DoesNotFit: The model fails.
    """
    task, scores, options = scored.task, scored.scores, scored.task.request.options
    if not needs_scan(options, levels):
        return not_scanned(len(scores.base))
    deadline = scored.evaluator.deadline
    # The levels must have time even if the whole sequence is scanned.
    until = deadline.now() + SCAN_SHARE * deadline.remaining
    scanner = Scanner(scored.evaluator, task.extent, scores.base, scores.score, tolerance, until)
    if options.full_pruning_curve:
        return scanner.whole_curve()
    return scanner.beyond_the_cut() if _takes_whole_curve(task, levels) else scanner.to_the_cut()


def needs_scan(options: Options, levels: Sequence[LevelDefinition]) -> bool:
    """Whether the answer has a pruning part. A request without levels asks for the scan alone."""
    return options.full_pruning_curve or not levels or any(each.needs_cut(options) for each in levels)


def _takes_whole_curve(task: Task, levels: Sequence[LevelDefinition]) -> bool:
    """Whether a level needs the curve within P, to split P by it, and the curve costs no more than a level does.

    Behind an endpoint the full curve may take no more rows than a level does. Otherwise P is split by the part of the
    curve that was scanned for the cut, and in halves.
    """
    options, endpoint = task.request.options, task.model.endpoint
    wanted = any(each.needs_whole_curve(options) for each in levels)
    rows = 2 * (task.prepared.cells.length - 1)
    return wanted and (endpoint is None or rows <= budget_of(options, endpoint))


def not_scanned(targets: int) -> Scan:
    """Nothing is pruned, and nothing was evaluated."""
    return Scan(0, scan_order(1), np.empty((0, targets)))


@dataclass(frozen=True, slots=True, eq=False)
class Scanner:
    """Scans one sequence.

    Attributes:
        evaluator: Gives the values of coalitions.
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

        With η = 0 for some target nothing can be pruned (|w1| < 0 never holds), so nothing is scanned.
        """
        if not (self.tolerance > 0).all():
            return not_scanned(len(self.base))
        return self._scan(lambda curve: first_prunable(curve, self.tolerance) is not None)

    def beyond_the_cut(self) -> Scan:
        """Scans every split, unless nothing can be pruned, so that the curve within P is known too."""
        return self.whole_curve() if (self.tolerance > 0).all() else not_scanned(len(self.base))

    def whole_curve(self) -> Scan:
        """Scans every split (TimeSHAP Fig. 5a). The cut is the same as that of `to_the_cut`."""
        return self._scan(lambda _: False)

    def _scan(self, is_enough: Callable[[NDArray[np.float64]], bool]) -> Scan:
        """Scans window after window, until `is_enough` holds for the curve of a window, (splits, targets)."""
        # Splits are coalitions of single events, so that the scan shares states and rows with the event level.
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
            if is_enough(curve[start:]):
                break
        return Scan(self._cut(order, curve), order[: len(curve)], curve)

    def _cut(self, order: NDArray[np.intp], curve: NDArray[np.float64]) -> int:
        row = first_prunable(curve, self.tolerance)
        return 0 if row is None else int(order[row])

    def _unfinished(self, scanned: NDArray[np.intp], curve: NDArray[np.float64]) -> Scan:
        """The result if time ran out. Without a cut, P is everything that was not scanned."""
        # The last split that was scanned did not qualify, so P ends one event before it.
        oldest = int(scanned[-1]) if len(scanned) else self.extent.length
        return Scan(self._cut(scanned, curve) or oldest - 1, scanned, curve, complete=False)
