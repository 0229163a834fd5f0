"""Runs a model a few times when it is loaded: what its output looks like, and whether a batch's rows are
independent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.outputs import Shape
from sequela.adapters.onnx.row_independence import ROW_SCALES, RowComparison, compare_rows, with_row_scales
from sequela.adapters.onnx.session import Session
from sequela.errors import DoesNotFit
from sequela.explain.limits import Limits
from sequela.explain.ports import Frame
from sequela.explain.schema import InputSchema, Role
from sequela.timeshap.cells import Cells

TRIAL_ROWS = 3
TRIAL_LENGTHS = (2, 16, 64, 100, 150, 200, 256, 384, 512, 768, 1024, 2048, 4096)
"""Numbers of events tried, each with one more; a model may need more than a few of them, as a convolution without
padding does, and take no more than some.
"""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The output's shape by number of events, and whether rows give the same alone and beside others."""

    shapes: Mapping[int, Shape]
    independent_rows: bool


def probe(feeder: Feeder, session: Session, lengths: Sequence[tuple[int, ...]]) -> ProbeResult:
    """Tries `lengths`, several at a time, until the model runs, or until all together took as long as one call may.

    Raises DoesNotFit: MODEL_FAILED where the model runs at none of them, and what `Session.run` raises.
    """
    failed: dict[int, DoesNotFit] = {}
    end = time.monotonic() + session.watchdog.seconds
    for together in lengths:
        try:
            return _probe_together(feeder, session, together)
        except DoesNotFit as error:
            if error.reason != "MODEL_FAILED":
                raise
            failed[together[0]] = error
        if time.monotonic() > end:
            break
    raise _fails(failed)


def trial_lengths(fixed: int | None, told: int | None, limits: Limits) -> tuple[tuple[int, ...], ...]:
    """Numbers of events to try a model with, two at a time where one alone would not show which axis of an output
    follows them. `told`: the schema's `trial_length`.
    """
    if fixed is not None:
        return ((fixed,),)
    if told is not None:
        both = [(told, told + 1), (told - 1, told)]
        return (*(pair for pair in both if min(pair) > 0 and max(pair) <= limits.max_events), (told,))
    tried = [(length, length + 1) for length in TRIAL_LENGTHS if length < limits.max_events]
    return tuple(tried) or ((1,),)


def _fails(failed: dict[int, DoesNotFit]) -> DoesNotFit:
    """What the model said to the fewest events and to the most, where that differs."""
    (shortest, first), *others = failed.items()
    if not others:
        return first
    longest, last = others[-1]
    shown = ", ".join(f"{length:,}" for length in failed)
    text = f"the model runs on none of the numbers of events tried ({shown})"
    if first.message == last.message:  # then it hardly is the number of events
        return DoesNotFit("MODEL_FAILED", f"{text}: {first.message}")
    text += f": with {shortest:,}, {first.message}; with {longest:,}, {last.message}"
    text += (
        ". If it takes another number, as where the exporter froze the length of its example, say it in a schema: "
        '"trial_length": 300; or export the model with a free number of events'
    )
    return DoesNotFit("MODEL_FAILED", text)


def _probe_together(feeder: Feeder, session: Session, lengths: tuple[int, ...]) -> ProbeResult:
    trials = {length: _trial(feeder, session, length) for length in lengths}
    shapes = {length: trial.shape for length, trial in trials.items()}
    return ProbeResult(shapes, all(trial.distance <= session.row_tolerance for trial in trials.values()))


def _trial(feeder: Feeder, session: Session, length: int) -> RowComparison:
    """On rows as different as the model takes them: not each knows an id of 1, or values of any size."""
    for ids in (2, 1):
        cells = sample_cells(feeder.inputs, len(ROW_SCALES), length, ids)
        for rows in (with_row_scales(cells), cells):
            try:
                return compare_rows(feeder, session, rows, no_padding(cells))
            except DoesNotFit as error:
                failed = error
                if error.reason != "MODEL_FAILED":
                    raise
    raise failed


def sample_cells(inputs: Sequence[InputSchema], rows: int, length: int, ids: int = 1) -> Cells:
    """Seeded noise for floats; the first `ids` ids: 0 is the only one that every vocabulary holds. Static
    inputs are the same at every length.
    """

    def values(place: int, item: InputSchema, *shape: int) -> NDArray[Any]:
        rng = np.random.default_rng([place, *shape])
        is_float = item.dtype.value.startswith("float")
        return rng.normal(size=shape) if is_float else rng.integers(ids, size=shape)

    placed = list(enumerate(inputs))
    return Cells(
        tuple(values(i, item, rows, length, item.width) for i, item in placed if item.role is Role.EVENTS),
        tuple(values(i, item, rows, item.width) for i, item in placed if item.role is Role.STATIC),
    )


def no_padding(cells: Cells) -> Frame:
    """The frame of a sequence that is all real events."""
    empty = tuple(np.empty((0, events.shape[-1]), dtype=events.dtype) for events in cells.events)
    return Frame(empty, empty)
