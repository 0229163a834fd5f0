"""Converts the arrays that a caller sent to what a model takes: names, shapes, element types, padding.

All mistakes that a caller can make about arrays are detected here. Errors name their path in the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import DoesNotFit, InvalidInput, Violation
from sequela.explain.background import Background
from sequela.explain.background_average import Average, Averager, BackgroundShape
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.inputs.arrays import check_categories, check_shape, convert_array
from sequela.explain.inputs.columns import reorder_columns
from sequela.explain.inputs.padding import EventRows, padding_warnings, real_rows
from sequela.explain.layout import layout
from sequela.explain.limits import Limits
from sequela.explain.ports import PaddingRows
from sequela.explain.request import ArrayPath, GivenBackground, GivenSequence, InputPaths, NamedArray
from sequela.explain.schema import InputSchema, ModelSchema, PaddingSide, Role
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSequence:
    """A sequence that fits the model.

    Attributes:
        cells: The real events and the static values.
        padding: The padding around the real events.
        warnings: What was assumed about the sequence.
    """

    cells: Cells
    padding: PaddingRows
    warnings: tuple[ExplanationWarning, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """An array, and its path in the request."""

    path: ArrayPath
    array: NDArray[Any]


def prepare_sequence(
    schema: ModelSchema, fixed_length: int | None, given: GivenSequence, limits: Limits
) -> PreparedSequence:
    """Returns the real events and static values of a sequence, in the model's element types, and its padding.

    Raises:
        InvalidInput: A name, shape, type or value is wrong, or a limit is exceeded.
        DoesNotFit: The events do not fit the model's fixed length, or the schema does not say on which side to pad.
    """
    shapes, paths = layout(schema), given.paths
    sent = _by_name(schema, given.inputs, paths)
    events = tuple(_events(schema, item, _require(sent, item, paths)) for item in shapes.events)
    static = tuple(_static(schema, item, _require(sent, item, paths)) for item in shapes.static)
    steps = _one_length(shapes.events, events, paths)
    if steps > limits.max_events:
        raise InvalidInput.at(
            paths.inputs,
            "TOO_MANY_EVENTS",
            f"{steps} events exceed the limit of {limits.max_events} (--max-events); send fewer",
        )
    rows = EventRows(shapes.events, events)
    real = _marked_events(schema, sent, steps)
    warnings = padding_warnings(schema, fixed_length, rows) if real is None else ()
    # A mask or length that was sent decides. Without them, rows at one end that equal the pad value are padding.
    real = real or real_rows(schema, rows, paths.inputs)
    count = real.stop - real.start
    if given.events and len(given.events) != count:
        padding_note = f" ({steps - count} of the {steps} rows are padding)" if count < steps else ""
        raise InvalidInput.at(
            paths.events,
            "EVENT_INFO_COUNT",
            f"{len(given.events)} entries for {count} real events{padding_note}; send one entry per event, or none",
        )
    before, after = _extra_padding(schema, fixed_length, steps, real, paths)
    padding = PaddingRows(
        tuple(
            _pad(item, rows[: real.start], before, 0)
            for item, rows in zip(shapes.events, events, strict=True)
        ),
        tuple(
            _pad(item, rows[real.stop :], 0, after) for item, rows in zip(shapes.events, events, strict=True)
        ),
    )
    return PreparedSequence(Cells(tuple(array[real] for array in events), static), padding, warnings)


def real_steps(schema: ModelSchema, given: GivenSequence) -> tuple[int, slice]:
    """Returns the number of steps sent, and which of them are real events.

    Raises InvalidInput as `prepare_sequence`.
    """
    paths = given.paths
    sent = _by_name(schema, given.inputs, paths)
    items = layout(schema).events
    events = tuple(_events(schema, item, _require(sent, item, paths)) for item in items)
    steps = _one_length(items, events, paths)
    marked = _marked_events(schema, sent, steps)
    return steps, marked or real_rows(schema, EventRows(items, events), paths.inputs)


def prepare_background(schema: ModelSchema, given: GivenBackground, limits: Limits, path: str) -> Background:
    """Returns a background in the model's element types. Raises InvalidInput as `prepare_sequence` does."""
    shapes, paths, mean_paths = layout(schema), InputPaths(path), InputPaths(path, "mean_event")
    sent = _by_name(schema, given.inputs, paths)
    mean_sent = _by_name(schema, given.mean_event, mean_paths)
    rows = {item.name: _rows(schema, item, _require(sent, item, paths)) for item in shapes.events}
    _one_length(shapes.events, tuple(rows.values()), paths)
    static = {item.name: _static(schema, item, _require(sent, item, paths)) for item in shapes.static}
    count = len(next(iter(rows.values())))
    if count > limits.max_background_rows:
        raise InvalidInput.at(
            paths.inputs,
            "BACKGROUND_TOO_LONG",
            f"{count} rows exceed the limit of {limits.max_background_rows} (--max-background-rows); send fewer",
        )
    mean: Mapping[str, NDArray[Any]]
    if mean_sent:
        mean = {
            item.name: _rows(schema, item, _require(mean_sent, item, mean_paths))[0] for item in shapes.events
        }
    elif count == 1:
        mean = {name: array[0] for name, array in rows.items()}
    else:
        mean = _mean_row(schema, rows, static)
    return Background(rows, mean, static)


def _mean_row(
    schema: ModelSchema, rows: Mapping[str, NDArray[Any]], static: Mapping[str, NDArray[Any]]
) -> Mapping[str, NDArray[Any]]:
    averager = Averager(schema, Average.MEAN, BackgroundShape.EVENT)
    averager.add(Cells(tuple(rows.values()), tuple(static.values())))
    return averager.finish().mean_event


def _unnamed_text(data: Sequence[str]) -> str:
    names = ", ".join(data)
    return (
        "an array was sent without a name, but the model has several inputs; send one array for each of "
        f"{names}, by name"
    )


def _by_name(schema: ModelSchema, arrays: Sequence[NamedArray], paths: InputPaths) -> dict[str, _Sent]:
    """Returns the arrays sent by the name of their input. An empty name stands for the only data input."""
    states = {item.name: item for item in schema.inputs if item.role is Role.STATE}
    marked = {item.name: item for item in schema.inputs if item.role is Role.MASK and item.pad_value}
    names = [item.name for item in schema.inputs]
    data = [item.name for item in schema.inputs if item.role in (Role.EVENTS, Role.STATIC)]
    sent: dict[str, _Sent] = {}
    for index, item in enumerate(arrays):
        name = item.name or (data[0] if len(data) == 1 else "")
        path = paths.array(index)
        here = path.name
        if name not in names:
            problem = _unknown_text(schema, item.name, names) if item.name else _unnamed_text(data)
            raise InvalidInput.at(here, "INPUT_UNKNOWN", problem)
        # Callers send 1 for an event, which such a mask would take for padding.
        if name in marked:
            raise InvalidInput.at(here, "MASK_UNCLEAR", _mask_text(marked[name]))
        if name in states:
            raise InvalidInput.at(here, "INPUT_IS_STATE", _state_text(states[name]))
        if name in sent:
            raise InvalidInput.at(here, "INPUT_REPEATED", f"{name!r} was sent twice")
        taken = next(each for each in schema.inputs if each.name == name)
        array = reorder_columns(schema, taken, item.array, item.columns, path.columns)
        sent[name] = _Sent(path, array)
    return sent


def _unknown_text(schema: ModelSchema, name: str, names: Sequence[str]) -> str:
    text = f"{name!r} is not an input of the model; its inputs are {', '.join(names)}"
    if any(feature.name == name for feature in schema.features):
        text += f"; {name!r} is a feature: send all columns of an input in one array, or in a table with their names"
    return text


def _mask_text(item: InputSchema) -> str:
    return (
        f"{item.name!r} marks padding with {item.pad_value:g} in this model, and the server fills it in; omit it and "
        "send only the real events"
    )


def _state_text(item: InputSchema) -> str:
    return (
        f"{item.name!r} is an initial state, which the server fills with {item.initial:g} for every sequence; omit it. "
        'To start from a different value, set "initial" in the schema'
    )


def _require(sent: Mapping[str, _Sent], item: InputSchema, paths: InputPaths) -> _Sent:
    if item.name not in sent:
        raise InvalidInput.at(paths.inputs, "INPUT_MISSING", f"the model's input {item.name!r} was not sent")
    return sent[item.name]


def _events(schema: ModelSchema, item: InputSchema, sent: _Sent) -> NDArray[Any]:
    """Returns the values of an event input, (l, width)."""
    array = sent.array[:, None] if sent.array.ndim == 1 and item.width == 1 else sent.array
    expected = f"(events, {item.width}){_or_of_shape('events, ', item)}"
    return _check_array(schema, item, _flat(array, item), (None, item.width), expected, sent.path)


def _rows(schema: ModelSchema, item: InputSchema, sent: _Sent) -> NDArray[Any]:
    """Returns the rows of a background for an event input, (k, width). An average event has k = 1."""
    array = sent.array
    if array.shape == item.shape:
        array = array[None]
    if array.ndim == 1:
        array = array[:, None] if item.width == 1 else array[None, :]
    expected = f"({item.width}) or (rows, {item.width}){_or_of_shape('rows, ', item)}"
    return _check_array(schema, item, _flat(array, item), (None, item.width), expected, sent.path)


def _static(schema: ModelSchema, item: InputSchema, sent: _Sent) -> NDArray[Any]:
    """Returns the values of a static input, (width,)."""
    array = sent.array.reshape(-1) if sent.array.shape == item.shape else sent.array
    expected = f"({item.width}){_or_of_shape('', item)}"
    return _check_array(schema, item, np.atleast_1d(array), (item.width,), expected, sent.path)


def _flat(array: NDArray[Any], item: InputSchema) -> NDArray[Any]:
    """Flattens rows that have the input's shape into columns. Other arrays are returned unchanged."""
    return array.reshape(len(array), -1) if item.shape and array.shape[1:] == item.shape else array


def _or_of_shape(before: str, item: InputSchema) -> str:
    return f" or ({before}{', '.join(map(str, item.shape))})" if item.shape else ""


def _check_array(
    schema: ModelSchema,
    item: InputSchema,
    array: NDArray[Any],
    shape: tuple[int | None, ...],
    expected: str,
    path: ArrayPath,
) -> NDArray[Any]:
    """Returns the array in the input's element type, after checking its shape and its category ids."""
    fits = check_shape(convert_array(array, item, path.values), shape, expected, item, path)
    check_categories(fits, schema, item, path.values)
    return fits


def _one_length(items: Sequence[InputSchema], arrays: Sequence[NDArray[Any]], paths: InputPaths) -> int:
    lengths = {item.name: len(array) for item, array in zip(items, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InvalidInput.at(
            paths.inputs,
            "LENGTHS_DIFFER",
            f"inputs have different numbers of events: {shown}. If one of them has a different time axis (a "
            "known future), "
            'declare it in the model\'s schema with the role "static" and its "shape"',
        )
    return next(iter(lengths.values()))


def _marked_events(schema: ModelSchema, sent: Mapping[str, _Sent], steps: int) -> slice | None:
    """Returns the steps that are real events according to the mask or length, or None if neither was sent."""
    for item in schema.inputs:
        if item.role is Role.MASK and item.name in sent:
            return _from_mask(sent[item.name], steps)
    for item in schema.inputs:
        if item.role is Role.LENGTH and item.name in sent:
            return _from_length(sent[item.name], steps, schema.padding)
    return None


def _from_mask(sent: _Sent, steps: int) -> slice:
    # Callers send masks as (l,) or with further axes of size 1.
    mask = sent.array.reshape(-1)
    if mask.shape != (steps,):
        raise InvalidInput.at(
            sent.path.shape,
            "SHAPE_MISMATCH",
            f"has shape {sent.array.shape}, but the mask takes ({steps},){sent.path.shape_note}",
        )
    if not np.isin(mask, (0, 1)).all():
        raise InvalidInput.at(sent.path.values, "MASK_INVALID", "a mask may only contain 0 and 1")
    real = np.flatnonzero(mask)
    if not len(real):
        raise InvalidInput.at(
            sent.path.values, "NO_EVENTS", "the mask marks every event as padding; at least one must be real"
        )
    if len(real) != real[-1] - real[0] + 1:
        raise InvalidInput.at(
            sent.path.values,
            "MASK_HAS_HOLES",
            "real events must be consecutive, with padding only before or after them",
        )
    return slice(int(real[0]), int(real[-1]) + 1)


def _from_length(sent: _Sent, steps: int, padding: PaddingSide | None) -> slice:
    if sent.array.size != 1 or not float(sent.array.reshape(-1)[0]).is_integer():
        raise InvalidInput.at(sent.path.values, "LENGTH_INVALID", "must be a single whole number")
    length = int(sent.array.reshape(-1)[0])
    if not 1 <= length <= steps:
        raise InvalidInput.at(
            sent.path.values,
            "LENGTH_INVALID",
            f"must be from 1 to {steps}, the number of events sent, not {length}",
        )
    return slice(steps - length, steps) if padding is PaddingSide.LEFT else slice(0, length)


def _extra_padding(
    schema: ModelSchema, fixed_length: int | None, steps: int, real: slice, paths: InputPaths
) -> tuple[int, int]:
    """Returns how many steps to add before and after those that were sent, to reach a fixed length."""
    if fixed_length is None or steps == fixed_length:
        return 0, 0
    if steps > fixed_length:
        text = (
            f"{steps} events were sent, but the model has a fixed time axis of {fixed_length}. Send the latest "
            f"{fixed_length} events, or export the model with a dynamic time axis (dynamic_shapes or dynamic_axes of "
            "torch.onnx.export, None in keras.Input)"
        )
        raise InvalidInput.at(paths.inputs, "TOO_MANY_EVENTS", text)
    missing = fixed_length - steps
    padding = schema.padding
    # The padding that was sent shows on which side the caller pads.
    if padding is None and real != slice(0, steps):
        padding = PaddingSide.LEFT if real.start else PaddingSide.RIGHT
    # Otherwise masks and lengths tell the model what is padding, and lengths count from the first row: pad at the end.
    if padding is None and any(item.role in (Role.MASK, Role.LENGTH) for item in schema.inputs):
        padding = PaddingSide.RIGHT
    if padding is None:
        text = (
            f"{steps} events were sent, but the model has a fixed length of {fixed_length} and no padding "
            "side is known"
        )
        text += '; set "padding" to "left" or "right" in its schema.json, as in training, or export a dynamic time axis'
        raise DoesNotFit("PADDING_UNKNOWN", text, violations=[Violation(paths.inputs, text)])
    return (missing, 0) if padding is PaddingSide.LEFT else (0, missing)


def _pad(item: InputSchema, given: NDArray[Any], before: int, after: int) -> NDArray[Any]:
    """Returns the padding on one side: the padding rows that the caller sent, then rows filled with `pad_value`."""

    def fill(count: int) -> NDArray[Any]:
        return np.full((count, item.width), item.pad_value, dtype=given.dtype)

    return np.concatenate([fill(before), given, fill(after)])
