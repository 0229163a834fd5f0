"""Whether a model gives from states what it gives whole: on seeded noise, cut at several places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.onnx_whole import LeftWhole
from sequela.explaining.ports import Recurrence
from sequela.timeshap.cells import Cells

Whole = Callable[[Cells], NDArray[np.float64]]
"""The model's outputs after the last event, run whole."""

TOLERANCE = 1e-4
"""Of the largest output. Float32 noise lies far below, a state that is lost or misread far above."""


def check(recurrence: Recurrence, whole: Whole, cells: Cells) -> None:
    """Every way to cut the sequence in two, and event by event. Raises LeftWhole."""
    expected = whole(cells)
    scale = float(np.abs(expected).max(initial=0.0))
    for cut in range(cells.length):
        states = recurrence.initial(len(expected))
        if cut:
            states = recurrence.advance(_part(cells, 0, cut), states)
        _compare(recurrence.finish(_part(cells, cut, cells.length), states), expected, scale)
    states = recurrence.initial(len(expected))
    for event in range(cells.length - 1):
        states = recurrence.advance(_part(cells, event, event + 1), states)
    _compare(recurrence.finish(_part(cells, cells.length - 1, cells.length), states), expected, scale)


def _part(cells: Cells, start: int, end: int) -> Cells:
    return Cells(tuple(events[:, start:end] for events in cells.events), cells.static)


def _compare(found: NDArray[np.float64], expected: NDArray[np.float64], scale: float) -> None:
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0.0, atol=TOLERANCE * scale):
        off = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
        raise LeftWhole(f"from states it gives other outputs, {off:.2g} off at a scale of {scale:.2g}")
