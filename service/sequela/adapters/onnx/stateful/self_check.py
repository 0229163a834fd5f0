"""Whether a model gives from states what it gives whole: on seeded noise, cut at several places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.onnx.stateful import NotStateful
from sequela.explain.ports import Recurrence
from sequela.timeshap.cells import Cells

WholeGraphRun = Callable[[Cells], NDArray[np.float64]]
"""The model's outputs after the last event, run whole."""

TOLERANCE = 1e-4
"""Of the largest output. Float32 noise lies far below (the models that the tests know have none on a CPU), a
state that is lost or misread far above.
"""
FIRST_EVENTS = 4


def check_equivalence(recurrence: Recurrence, whole: WholeGraphRun, cells: Cells) -> None:
    """Raises LeftWhole where a model run from states gives anything else."""
    expected = whole(cells)
    for cuts in _cut_positions(cells.length):
        found = _run_in_parts(recurrence, cells, cuts)
        off = _distance(found, expected)
        if not off <= TOLERANCE:
            raise NotStateful(f"from states its outputs are {off:.2g} of the largest one off")


def _cut_positions(length: int) -> Iterator[Sequence[int]]:
    """Where to cut: nowhere, once, and after each of the first events."""
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


def _distance(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """As a share of the largest output."""
    if found.shape != expected.shape:
        return float("inf")
    scale = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(found - expected).max(initial=0.0)) / (scale or 1.0)
