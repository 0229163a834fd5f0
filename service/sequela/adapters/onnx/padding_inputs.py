"""Finds inputs that probably mark padding, though neither a schema nor their names say so, by running the model.

An input of shape (n) may hold an id or the number of real events, and one of shape (n, l) a column of the events or a
mask. If it is read as the first and is the second, padding counts as events. Trial runs show it, as in mask_trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.schema_entries import entries
from sequela.adapters.onnx.load_trial import TrialResult
from sequela.adapters.onnx.mask_trial import hides_padding
from sequela.adapters.onnx.probe import TRIAL_ROWS, no_padding, sample_cells
from sequela.errors import DoesNotFit
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.schema import InputSchema, PaddingSide, Role


def padding_input_warnings(trial: TrialResult) -> tuple[ExplanationWarning, ...]:
    """Returns a warning for each input that hides events of the model, but is not read as a mask or a length."""
    inputs = trial.draft.schema.inputs
    length = max(trial.probe_result.shapes)
    # A mask or a length that is known hides padding, whatever the others do.
    if length < 2 or any(item.role in (Role.MASK, Role.LENGTH) for item in inputs):
        return ()
    written = {item.name for item in trial.draft.written}
    found = (_warning(trial, length, item) for item in inputs if item.name not in written)
    return tuple(each for each in found if each)


def _warning(trial: TrialResult, length: int, item: InputSchema) -> ExplanationWarning | None:
    for reading, side in _readings(trial, item):
        read = tuple(reading if each is item else each for each in trial.draft.schema.inputs)
        feeder = Feeder(read, trial.feeder.signature)
        if hides_padding(feeder, trial.session, length, side) and _end_counts(feeder, trial, length, side):
            if reading.role is Role.LENGTH:
                text = f"events beyond the number in {item.name!r} do not change the output, so it is probably the "
                text += "number of real events. It is read as a static input, and padding as events"
            else:
                text = f"events for which {item.name!r} is {reading.pad_value:g} do not change the output, so it is "
                text += "probably a mask. It is read as a column of the events, and padding as events"
            text = f"Trial runs show that {text}. If so, write in a schema: {entries(read)}."
            return ExplanationWarning("LAYOUT_SUSPECTED", text)
    return None


def _readings(trial: TrialResult, item: InputSchema) -> Iterator[tuple[InputSchema, PaddingSide]]:
    """Yields what an input may be instead, and the side of the padding to try."""
    others = any(each.role is Role.EVENTS for each in trial.draft.schema.inputs if each is not item)
    if item.role is Role.STATIC and item.width == 1 and not item.dtype.is_float:
        yield InputSchema(item.name, Role.LENGTH, item.dtype), PaddingSide.RIGHT
    elif item.role is Role.EVENTS and trial.feeder.signature_of(item).rank == 2 and others:
        for value in (0.0, 1.0):
            mask = InputSchema(item.name, Role.MASK, item.dtype, pad_value=value, axes=item.axes)
            yield from ((mask, side) for side in PaddingSide)


def _end_counts(feeder: Feeder, trial: TrialResult, length: int, side: PaddingSide) -> bool:
    """Returns whether the event on this side changes the output if it is real: else the model ignores it anyway."""
    cells = sample_cells(feeder.inputs, TRIAL_ROWS, length + 1, ids=2)
    end = length - 1 if side is PaddingSide.RIGHT else 0
    other = [*range(end), length, *range(end + 1, length)]
    try:
        first, second = (
            trial.session.run(feeder.feeds(part, no_padding(part)))
            for part in (
                replace(cells, events=tuple(values[:, order] for values in cells.events))
                for order in (list(range(length)), other)
            )
        )
    except DoesNotFit:
        return False
    return not np.array_equal(first, second)
