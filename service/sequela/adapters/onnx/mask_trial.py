"""Finds out what a model's masks mark, by running it: padding must not change the output, and events must.

Some models take 1 for a real event, others 1 for padding (torch's key_padding_mask), others a large negative number
that is added where padding lies. The name of a mask does not say which of these it is, but the output shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.schema_entries import entries
from sequela.adapters.model_io.unsupported_inputs import square_mask_text
from sequela.adapters.onnx.load_trial import TrialResult
from sequela.adapters.onnx.probe import TRIAL_ROWS, no_padding, sample_cells
from sequela.adapters.onnx.session import Session
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.ports import PaddingRows
from sequela.explain.schema import InputSchema, PaddingSide, Role
from sequela.timeshap.cells import Cells

ADDITIVE_PADDING = -1e9
"""The value for padding in a mask that is added to attention scores."""
MAX_READINGS = 27
"""How many combinations of meanings are tried for all masks together; each takes up to three runs."""
TOLERANCE = 1e-5
"""How much padding may change an output, as a share of the largest one. Padding that counts changes it far more."""


def with_mask_meaning(trial: TrialResult) -> tuple[TrialResult, tuple[ExplanationWarning, ...]]:
    """Finds the meaning of a model's masks.

    Returns:
        The trial with the meaning that the model gives its masks, and a warning about what was assumed, if anything.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT if a schema says otherwise; SCHEMA_NEEDED if the masks hide every event;
            MODEL_INPUT_UNSUPPORTED for a mask between events.
    """
    inputs = trial.draft.schema.inputs
    length = max(trial.probe_result.shapes)
    # With one event there is no room for padding.
    if length < 2 or not any(item.role is Role.MASK for item in inputs):
        return trial, ()
    _check_square(trial, length)
    padding = trial.draft.schema.padding
    sides = tuple(PaddingSide) if padding is None else (padding,)

    def are_right(marked: tuple[InputSchema, ...]) -> bool:
        feeder = Feeder(marked, trial.feeder.signature)
        return any(hides_padding(feeder, trial.session, length, side) for side in sides)

    if are_right(inputs):
        return trial, ()
    for other in _other_readings(inputs):
        if are_right(other):
            return _read_as(trial, other)
    masks = ", ".join(repr(item.name) for item in inputs if item.role is Role.MASK)
    if not _events_count(trial, length):
        text = f"with 1 for an event in the mask {masks}, no event reaches the model's output. Export the model so "
        text += f'that events count, and set what marks padding ("pad_value") in a schema: {entries(inputs)}'
        raise InvalidInput.at(trial.draft.path, "SCHEMA_NEEDED", text)
    text = (
        f"Trial runs did not show that the mask {masks} hides padding from the model's output. It is filled with 1 for "
        "an event and 0 for padding. If it means something else, set the value that marks padding in a schema: "
        '"pad_value", for example 1 or -1e9, on the mask\'s input.'
    )
    return trial, (ExplanationWarning("MASK_NOT_PROVEN", text),)


def _events_count(trial: TrialResult, length: int) -> bool:
    """Returns whether other events change the output of sequences without padding, or if the model fails."""
    cells = sample_cells(trial.feeder.inputs, TRIAL_ROWS, 2 * length, ids=2)
    # One long sequence is cut in half, which gives two sequences of the same length with different events.
    parts = (slice(None, length), slice(length, None))
    try:
        first, second = (
            trial.session.run(trial.feeder.feeds(part, no_padding(part)))
            for part in (
                replace(cells, events=tuple(each[:, where] for each in cells.events)) for where in parts
            )
        )
    except DoesNotFit:
        return True
    return not np.array_equal(first, second)


def _check_square(trial: TrialResult, length: int) -> None:
    """Refuses a mask between events, (l, l): with a single sequence, a model that takes (batch, l) rejects it.

    Raises:
        InvalidInput: MODEL_INPUT_UNSUPPORTED.
    """
    feeder, session = trial.feeder, trial.session
    cells = sample_cells(feeder.inputs, 1, length)
    feeds = feeder.feeds(cells, no_padding(cells))
    for item in trial.feeder.signature.inputs:
        if not any(each.name == item.name and each.role is Role.MASK for each in feeder.inputs):
            continue
        events = feeds[item.name]
        square = np.ones((length, length), dtype=events.dtype)
        try:
            one = _raw_output(session, {**feeds, item.name: square})
            causal = _raw_output(session, {**feeds, item.name: np.tril(square)})
        except DoesNotFit:
            continue
        # One row for l rows of mask, and a causal mask that changes it: the mask is between events.
        if len(one) == 1 and one.shape == causal.shape and not np.array_equal(one, causal):
            raise InvalidInput.at(trial.draft.path, "MODEL_INPUT_UNSUPPORTED", square_mask_text(item))


def _raw_output(session: Session, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Returns the model's output unchanged, whatever its number of rows."""
    (output,) = session.fetch([session.output], feeds)
    return np.atleast_1d(output)


def _other_readings(inputs: Sequence[InputSchema]) -> Iterator[tuple[InputSchema, ...]]:
    """Yields the inputs with other padding values in their masks: first the same value in all, then different ones."""
    masks = [item for item in inputs if item.role is Role.MASK]
    values = [(0.0, 1.0, ADDITIVE_PADDING) if item.dtype.is_float else (0.0, 1.0) for item in masks]
    mixed = islice(product(*values), MAX_READINGS)
    # The masks of one model usually agree, so equal values are tried first.
    for padding in sorted(mixed, key=lambda each: len(set(each))):
        pad_values = dict(zip((item.name for item in masks), padding, strict=True))
        yield tuple(replace(item, pad_value=pad_values.get(item.name, item.pad_value)) for item in inputs)


def _read_as(
    trial: TrialResult, inputs: tuple[InputSchema, ...]
) -> tuple[TrialResult, tuple[ExplanationWarning, ...]]:
    draft = trial.draft
    masks = [item for item in inputs if item.role is Role.MASK]
    meanings = ", ".join(
        f"{item.name!r} takes {item.pad_value or 0:g} for padding and {int(not item.pad_value)} for an event"
        for item in masks
    )
    if draft.written:
        text = f"the mask {meanings}; with what the schema says, events would be hidden. "
        text += f"Write instead: {entries(inputs)}"
        raise InvalidInput.at(draft.path, "SCHEMA_DOES_NOT_FIT", text)
    text = f"Trial runs show that the mask {meanings}. To state it yourself, write in a schema: {entries(inputs)}."
    read = replace(
        trial,
        draft=replace(draft, schema=replace(draft.schema, inputs=inputs)),
        feeder=Feeder(inputs, trial.feeder.signature),
    )
    return read, (ExplanationWarning("MASK_RECOGNISED", text),)


def hides_padding(feeder: Feeder, session: Session, length: int, side: PaddingSide) -> bool:
    """Returns whether padding on this side leaves the output as it is, while other events change it.

    Args:
        feeder: Makes the inputs, with a mask or a length among them.
        session: The model.
        length: The number of rows of a sequence with its padding.
        side: The side of the padding.
    """
    # Half of the positions become padding, at least one of them.
    real = length - length // 2
    cells = sample_cells(feeder.inputs, TRIAL_ROWS, real, ids=2)
    others = sample_cells(feeder.inputs, TRIAL_ROWS, real + length, ids=2)
    changed = replace(cells, events=tuple(values[:, -real:] for values in others.events))

    def outputs(events: Cells, start: int) -> NDArray[np.float64]:
        # The padding has the values of real events, so that it changes the output unless the mask hides it.
        rows = tuple(values[0, start : start + length - real] for values in others.events)
        empty = tuple(values[:0] for values in rows)
        right = side is PaddingSide.RIGHT
        padding = PaddingRows(empty, rows) if right else PaddingRows(rows, empty)
        found = session.run(feeder.feeds(events, padding))
        # Of an output for each event, only the parts of real events must not change.
        if found.ndim > 1 and found.shape[1] == length:
            return found[:, :real] if right else found[:, -real:]
        return found

    try:
        # The same events with other padding must give the same output, and other events with the same padding another
        # one.
        first, repadded, moved = outputs(cells, 0), outputs(cells, length - real), outputs(changed, 0)
    except DoesNotFit:
        return False
    # A softmax over events that are all hidden gives NaN.
    if not (np.isfinite(first).all() and np.isfinite(repadded).all()):
        return False
    # An output that is 0 everywhere has no scale of its own.
    near = TOLERANCE * (float(np.abs(first).max(initial=0.0)) or 1.0)
    return bool(np.abs(first - repadded).max() <= near) and not np.allclose(first, moved, rtol=0, atol=near)
