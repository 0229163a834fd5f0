"""Compares a model run from states with the same model run whole, on seeded noise that is cut at several events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.onnx.stateful import NotStateful
from sequela.explain.ports import Recurrence
from sequela.timeshap.cells import Cells

WholeGraphRun = Callable[[Cells], NDArray[np.float64]]
"""Runs the whole graph on sequences and returns the outputs after the last event, (n, targets)."""

TOLERANCE = 1e-4
"""Allowed difference, as a share of the largest output. Float32 rounding is far smaller (the models of the tests have
none on a CPU), and a lost or misread state changes it far more.
"""
FIRST_EVENTS = 4
"""How many of the first events are run one at a time."""


def check_equivalence(recurrence: Recurrence, whole: WholeGraphRun, cells: Cells) -> None:
    """Runs sequences whole and in parts, each part from the states that the one before left.

    Raises:
        NotStateful: The outputs differ by more than the tolerance.
    """
    expected = whole(cells)
    for cuts in _cut_positions(cells.length):
        difference = _relative_difference(_run_in_parts(recurrence, cells, cuts), expected)
        # Written with `not`, so that a difference of NaN is refused too.
        if not difference <= TOLERANCE:
            raise NotStateful(
                f"run from states, its outputs differ by {difference:.2g} of the largest output"
            )


def _cut_positions(length: int) -> Iterator[Sequence[int]]:
    """Yields the numbers of events to cut after: none, one, and each of the first events."""
    yield ()
    yield from ((cut,) for cut in sorted({1, length // 2, length - 1} - {0, length}))
    yield range(1, min(length, FIRST_EVENTS))


def _run_in_parts(recurrence: Recurrence, cells: Cells, cuts: Sequence[int]) -> NDArray[np.float64]:
    *earlier, last = (
        Cells(tuple(events[:, start:end] for events in cells.events), cells.static)
        for start, end in pairwise((0, *cuts, cells.length))
    )
    states = recurrence.initial(len(cells.events[0]))
    for part in earlier:
        states = recurrence.advance(part, states)
    return recurrence.finish(last, states)


def _relative_difference(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Returns the largest difference as a share of the largest output; infinite for another shape."""
    if found.shape != expected.shape:
        return float("inf")
    scale = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(found - expected).max(initial=0.0)) / (scale or 1.0)
