"""Runs a model a few times when it is loaded, to see the shape of its output and whether rows are independent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.fixed_sizes import MAX_CALL_CELLS
from sequela.adapters.model_io.outputs import Shape
from sequela.adapters.onnx.row_independence import (
    ROW_SCALES,
    RowComparison,
    compare_rows,
    with_row_scales,
)
from sequela.adapters.onnx.session import Session
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.limits import Limits
from sequela.explain.ports import PaddingRows
from sequela.explain.schema import InputSchema, Role
from sequela.timeshap.cells import Cells

TRIAL_ROWS = 3
TRIAL_LENGTHS = (2, 16, 64, 100, 150, 200, 256, 384, 512, 768, 1024, 2048, 4096)
"""Numbers of events to try, each together with one more. Some models need many events, such as a convolution without
padding. Others accept only a few.
"""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What the runs showed.

    Attributes:
        shapes: The output's shape, batch included, for each number of events that was run.
        independent_rows: Whether rows give the same output alone and beside others.
    """

    shapes: Mapping[int, Shape]
    independent_rows: bool


def probe(feeder: Feeder, session: Session, lengths: Sequence[tuple[int, ...]]) -> ProbeResult:
    """Tries groups of lengths until the model runs at all lengths of one.

    It stops trying when all groups together have taken as long as one call may.

    Raises:
        DoesNotFit: MODEL_FAILED if the model runs at none of them; otherwise as `Session.run`.
    """
    failures: dict[int, DoesNotFit] = {}
    # Each group has a limit of its own for each call, so without this one a slow model could take many times as long.
    end = time.monotonic() + session.watchdog.seconds
    for group in lengths:
        try:
            return _probe_group(feeder, session, group)
        except DoesNotFit as error:
            if error.reason != "MODEL_FAILED":
                raise
            failures[group[0]] = error
        if time.monotonic() > end:
            break
    raise _failure(failures)


def trial_lengths(fixed: int | None, requested: int | None, limits: Limits) -> tuple[tuple[int, ...], ...]:
    """Returns the numbers of events to try a model with.

    They come in pairs where possible, since one length alone does not show which axis of an output follows it.

    Args:
        fixed: The number of events that the model takes in every call, if it fixes one.
        requested: The schema's `trial_length`.
        limits: The server's limit on events.
    """
    if fixed is not None:
        return ((fixed,),)
    if requested is not None:
        pairs = [(requested, requested + 1), (requested - 1, requested)]
        return (
            *(pair for pair in pairs if min(pair) > 0 and max(pair) <= limits.max_events),
            (requested,),
        )
    pairs = [(length, length + 1) for length in TRIAL_LENGTHS if length < limits.max_events]
    return tuple(pairs) or ((1,),)


def check_trial_cells(
    lengths: Sequence[tuple[int, ...]], inputs: Sequence[InputSchema], path: str
) -> tuple[tuple[int, ...], ...]:
    """Returns the groups of lengths whose trial rows hold no more than `MAX_CALL_CELLS` numbers.

    Raises:
        InvalidInput: MODEL_TOO_LARGE if there are none.
    """
    width = sum(item.width for item in inputs if item.role is Role.EVENTS)
    cells = {group: len(ROW_SCALES) * max(group) * width for group in lengths}
    if affordable := tuple(group for group in lengths if cells[group] <= MAX_CALL_CELLS):
        return affordable
    text = f"trying the model out takes {min(cells.values())} numbers ({len(ROW_SCALES)} sequences of "
    text += f"{min(map(max, lengths))} events and {width} columns), but the limit is {MAX_CALL_CELLS}; "
    text += "reduce the columns, the fixed length or the schema's trial_length"
    raise InvalidInput.at(path, "MODEL_TOO_LARGE", text)


def _failure(failures: dict[int, DoesNotFit]) -> DoesNotFit:
    """Returns one error with the model's message for the fewest events, and for the most if it differs."""
    (shortest, first), *others = failures.items()
    if not others:
        return first
    longest, last = others[-1]
    tried = ", ".join(f"{length:,}" for length in failures)
    text = f"the model runs on none of the numbers of events tried ({tried})"
    if first.message == last.message:  # Then the number of events is hardly the reason.
        return DoesNotFit("MODEL_FAILED", f"{text}: {first.message}")
    text += f": with {shortest:,}, {first.message}; with {longest:,}, {last.message}"
    text += (
        ". If it needs another number, for example because the exporter fixed the length of its example, set it in "
        'the schema, as in "trial_length": 300; or export the model with a free number of events'
    )
    return DoesNotFit("MODEL_FAILED", text)


def _probe_group(feeder: Feeder, session: Session, lengths: tuple[int, ...]) -> ProbeResult:
    comparisons = {length: _compare(feeder, session, length) for length in lengths}
    shapes = {length: found.shape for length, found in comparisons.items()}
    independent = all(found.distance <= session.row_tolerance for found in comparisons.values())
    return ProbeResult(shapes, independent)


def _compare(feeder: Feeder, session: Session, length: int) -> RowComparison:
    """Compares rows that differ as much as the model allows. Some models reject an id of 1, or large values."""
    for ids in (2, 1):
        cells = sample_cells(feeder.inputs, len(ROW_SCALES), length, ids)
        for rows in (with_row_scales(cells), cells):
            try:
                return compare_rows(feeder, session, rows, no_padding(cells))
            except DoesNotFit as error:
                failure = error
                if error.reason != "MODEL_FAILED":
                    raise
    raise failure


def sample_cells(inputs: Sequence[InputSchema], rows: int, length: int, ids: int = 1) -> Cells:
    """Seeded sequences to try a model with: normal noise for floats, the ids 0 to `ids` - 1 for integers.

    0 is the only id that every vocabulary has. Static inputs are the same at every length.
    """

    def values(seed: int, item: InputSchema, *shape: int) -> NDArray[Any]:
        # Seeded by shape, so that two inputs, and two lengths, get different noise.
        rng = np.random.default_rng([seed, *shape])
        return rng.normal(size=shape) if item.dtype.is_float else rng.integers(ids, size=shape)

    numbered = list(enumerate(inputs))
    return Cells(
        tuple(values(i, item, rows, length, item.width) for i, item in numbered if item.role is Role.EVENTS),
        tuple(values(i, item, rows, item.width) for i, item in numbered if item.role is Role.STATIC),
    )


def no_padding(cells: Cells) -> PaddingRows:
    """Returns padding of length 0, for sequences that consist of real events only."""
    empty = tuple(np.empty((0, events.shape[-1]), dtype=events.dtype) for events in cells.events)
    return PaddingRows(empty, empty)
