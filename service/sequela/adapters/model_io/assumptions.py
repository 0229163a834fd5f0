"""Warnings about what was assumed of a model's inputs because no schema says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sequela.adapters.model_io.arrangement import TIME_FIRST
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.schema_draft import Draft
from sequela.adapters.model_io.schema_entries import entries, entry
from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.schema import Axis, InputSchema, Role

AXIS_NOUNS = {Axis.BATCH: "sequences", Axis.TIME: "events", Axis.FEATURES: "columns"}


def assumptions(
    draft: Draft, signature: Signature, uses: Mapping[str, InputUse], independent_rows: bool
) -> tuple[ExplanationWarning, ...]:
    """Returns all warnings about the inputs.

    Args:
        draft: The schema with which the model runs.
        signature: The model's inputs, in its own order of axes.
        uses: How the graph uses its inputs.
        independent_rows: Whether a trial showed that rows do not influence each other.
    """
    written = {item.name: item for item in draft.written}
    seen = {item.name: item for item in signature.inputs}
    found = [
        *_recognised_axes(draft.schema.inputs, written, seen),
        *_states(draft.schema.inputs, written, seen),
    ]
    for item in draft.schema.inputs:
        if item.name not in written:
            found += _flat_window(item, seen[item.name])
            found += _as_many_as_events(item, seen, draft.schema.inputs)
        found += _assumed_shape(item, written.get(item.name), seen[item.name])
        # If rows influence each other, the axis of sequences may really be that of events.
        if not independent_rows:
            found += _wrong_axis(item, written.get(item.name), uses.get(item.name))
    return tuple(found)


def _recognised_axes(
    inputs: Sequence[InputSchema], written: Mapping[str, InputSchema], seen: Mapping[str, InputSignature]
) -> Iterator[ExplanationWarning]:
    turned = [item for item in inputs if item.axes and not (item.name in written and written[item.name].axes)]
    if not turned:
        return
    read = "; ".join(
        f"{item.name!r} {seen[item.name].description} as ({', '.join(AXIS_NOUNS[axis] for axis in item.axes)})"
        for item in turned
    )
    text = (
        f"The order of axes was recognised: {read}. Callers send (events, columns). "
        f"To state it yourself, write in a schema: {entries(inputs)}."
    )
    yield ExplanationWarning("LAYOUT_RECOGNISED", text)


def _states(
    inputs: Sequence[InputSchema], written: Mapping[str, InputSchema], seen: Mapping[str, InputSignature]
) -> Iterator[ExplanationWarning]:
    states = [item for item in inputs if item.role is Role.STATE and item.name not in written]
    if not states:
        return
    shown = ", ".join(f"{item.name!r} {seen[item.name].description}" for item in states)
    text = (
        f"Inputs taken for initial states, which start from zeros: {shown}. To start from another value, set it in a "
        f"schema, here to 0.5: {entries(replace(item, initial=0.5) if item in states else item for item in inputs)}."
    )
    yield ExplanationWarning("STATES_START_AT_ZERO", text)


def _flat_window(item: InputSchema, seen: InputSignature) -> Iterator[ExplanationWarning]:
    """Warns of floats (n, 8) with nothing else over time: probably a table, or a window that was flattened."""
    size = seen.axes[1] if seen.rank == 2 else None
    if (
        item.role is Role.EVENTS
        and not item.axes
        and item.dtype.is_float
        and isinstance(size, int)
        and size > 1
    ):
        text = (
            f"Input {item.name!r} {seen.description} is read as {size} events of one column. If a row holds the "
            "columns of several events one after the other, export the model with a Reshape in front, so that its "
            "input is (batch, events, columns)."
        )
        yield ExplanationWarning("LAYOUT_SUSPECTED", text)


def _as_many_as_events(
    item: InputSchema, seen: Mapping[str, InputSignature], inputs: Sequence[InputSchema]
) -> Iterator[ExplanationWarning]:
    """Warns of floats (n, 8) beside eight events: usually static columns, but maybe a number for each event."""
    size = seen[item.name].axes[1] if seen[item.name].rank == 2 else None
    events = [seen[each.name] for each in inputs if each.role is Role.EVENTS and not each.axes]
    if not (item.role is Role.STATIC and isinstance(size, int) and size > 1 and not item.shape):
        return
    if any(each.axes[1] == size for each in events):
        text = (
            f"Input {item.name!r} {seen[item.name].description} is read as {size} static columns, which are "
            f"one player, but the sequence has {size} events as well. If it holds a number for each event, such as a "
            f"time, write in a schema: {entries(_with_role(inputs, item.name))}."
        )
        yield ExplanationWarning("LAYOUT_SUSPECTED", text)


def _with_role(inputs: Sequence[InputSchema], name: str) -> Iterator[InputSchema]:
    """Yields the inputs, with this one as events of one column."""
    for item in inputs:
        yield InputSchema(name, Role.EVENTS, item.dtype) if item.name == name else item


def _assumed_shape(
    item: InputSchema, written: InputSchema | None, seen: InputSignature
) -> Iterator[ExplanationWarning]:
    if item.role is Role.STATIC and len(item.shape) > 1 and not written:
        text = (
            f"Input {item.name!r} {seen.description} has a number of steps of its own. It is one player beside the "
            f"events: {entry(item)}."
        )
        yield ExplanationWarning("LAYOUT_RECOGNISED", text)
    if item.role is Role.EVENTS and item.shape and not written:
        shape = ", ".join(map(str, item.shape))
        text = (
            f"Input {item.name!r} {seen.description} has {item.width} columns for each event; callers send "
            f"(events, {shape}) or (events, {item.width}). A schema can name and group them: {entry(item)}."
        )
        yield ExplanationWarning("LAYOUT_RECOGNISED", text)


def _wrong_axis(
    item: InputSchema, written: InputSchema | None, use: InputUse | None
) -> Iterator[ExplanationWarning]:
    """Warns of a recurrent node that runs along what is read as the axis of sequences."""
    if not (use and use.axes == TIME_FIRST and not item.axes and not (written and written.axes)):
        return
    turned = InputSchema(item.name, item.role, item.dtype, item.width, axes=TIME_FIRST)
    text = (
        f"{use.node} runs along the first axis of input {item.name!r}, which is read as the axis of sequences. "
        "Probably batch_first=True is missing in the model, so that events do not reach each other: correct it and "
        f"export it again. If events come first in the model, write in a schema: {entries([turned])}."
    )
    yield ExplanationWarning("LAYOUT_SUSPECTED", text)
