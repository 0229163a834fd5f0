"""Derives a remote model's inputs and outputs from its endpoint's description and a schema, without sending rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sequela.adapters.endpoints.transport import Description
from sequela.adapters.model_io.arrangement import SERVER_AXES
from sequela.adapters.model_io.assumptions import assumptions
from sequela.adapters.model_io.fixed_sizes import FixedSizes, read_sizes
from sequela.adapters.model_io.output_choice import choose_output
from sequela.adapters.model_io.outputs import OutputLayout, forecast_steps, per_event_from_targets
from sequela.adapters.model_io.schema_draft import Draft, complete_schema, draft_schema
from sequela.adapters.model_io.schema_entries import entries
from sequela.adapters.model_io.schema_json import read_schema
from sequela.adapters.model_io.signature import (
    AxisSize,
    InputSignature,
    OutputSignature,
    Signature,
    format_axes,
)
from sequela.errors import InvalidInput
from sequela.explain.explanation import ExplanationWarning
from sequela.explain.limits import Limits
from sequela.explain.schema import Axis, InputSchema, ModelSchema, Role

RANKS: dict[Role, int] = {Role.EVENTS: 3, Role.STATIC: 2, Role.MASK: 2, Role.LENGTH: 1}
"""The default number of axes of an input."""

HALVES = ("FP16", "BF16")
"""Datatypes of 16 bits."""
EXPECTED = "(n), (n, outputs), (n, steps, outputs), (n, events) or (n, events, outputs)"


@dataclass(frozen=True, slots=True)
class ModelInterface:
    """The inputs and outputs of a remote model.

    Attributes:
        schema: The complete schema.
        signature: Inputs and outputs with the axes in our order.
        server_signature: Inputs and outputs with the axes in the server's order.
        output: The name of the output to explain; empty if outputs have no names.
        sizes: The batch size and length that the model fixes.
        warnings: What was assumed.
    """

    schema: ModelSchema
    signature: Signature
    server_signature: Signature
    output: str
    sizes: FixedSizes
    warnings: tuple[ExplanationWarning, ...] = ()

    @property
    def in_halves(self) -> bool:
        """Whether the output is a 16-bit float."""
        return any(item.name == self.output and item.element in HALVES for item in self.signature.outputs)


def read_interface(
    description: Description, schema_json: bytes, limits: Limits, uri_path: str, schema_path: str
) -> ModelInterface:
    """Combines an endpoint's description with a schema.

    Args:
        description: The endpoint's description.
        schema_json: The schema; empty for none.
        limits: The limits for models.
        uri_path: The path of the URI in errors.
        schema_path: The path of the schema in errors.

    Raises:
        InvalidInput: SCHEMA_NEEDED if information is missing in both, SCHEMA_DOES_NOT_FIT if they disagree, and as
            reading a schema raises.
    """
    signature = _signature(description, schema_json, uri_path, schema_path)
    draft = draft_schema({}, signature, schema_json, limits, uri_path, schema_path)
    choice = choose_output(draft.schema.output, signature.outputs, draft.path, uri_path)
    output = choice.output
    _check_batch_first(draft)
    _refuse_event_weights(draft)
    sizes = read_sizes(draft.schema.inputs, draft.server_signature, limits, draft.path)
    layout = _layout(_axes_of(output, description.outputs), output, sizes.length, draft, limits)
    # An endpoint does not say whether outputs are bounded; a schema may.
    schema = complete_schema(draft, {}, output, layout, False)
    assumed = (*choice.warnings, *assumptions(draft, signature, {}, True), *_masks(draft))
    return ModelInterface(schema, draft.server_signature, signature, output, sizes, assumed)


def _masks(draft: Draft) -> Iterator[ExplanationWarning]:
    """Yields a warning about masks whose meaning is assumed, since finding it out would cost rows."""
    masks = [item for item in draft.schema.inputs if item.role is Role.MASK]
    if masks and not draft.written:
        text = (
            f"The mask {', '.join(repr(item.name) for item in masks)} is assumed to be 1 for an event and 0 for "
            f'padding; if it is the other way round, set "pad_value": 1 in a schema: {entries(draft.schema.inputs)}.'
        )
        yield ExplanationWarning("MASK_NOT_PROVEN", text)


def _check_batch_first(draft: Draft) -> None:
    """Raises InvalidInput for an input whose first axis is not the batch: servers join calls along the first axis."""
    for index, item in enumerate(draft.schema.inputs):
        if item.axes and item.axes[0] is not Axis.BATCH:
            text = (
                f"inputs[{index}] {item.name!r}: axes: {', '.join(item.axes)}; behind an endpoint the batch comes "
                "first: serve a model that takes it so (batch_first=True)"
            )
            raise InvalidInput.at(draft.path, "SCHEMA_DOES_NOT_FIT", text)


def _refuse_event_weights(draft: Draft) -> None:
    """Raises InvalidInput for a schema with event weights, since endpoints are asked for one output only."""
    if draft.schema.event_weights:
        text = (
            f"event_weights: is {draft.schema.event_weights!r}, but a model behind an endpoint is asked for its score "
            "only; remove the key, or load the ONNX file"
        )
        raise InvalidInput.at(draft.path, "SCHEMA_DOES_NOT_FIT", text)


def _signature(description: Description, schema_json: bytes, uri_path: str, schema_path: str) -> Signature:
    if description.inputs and description.outputs:
        return Signature(description.inputs, description.outputs)
    if not schema_json:
        text = "the endpoint does not describe its model's inputs and outputs; give a schema with inputs"
        raise InvalidInput.at(uri_path, "SCHEMA_NEEDED", text)
    schema = read_schema(schema_json, schema_path)
    inputs = description.inputs or tuple(map(_input, schema.inputs))
    if not inputs:
        text = "inputs: must be given, because the endpoint does not describe its model's inputs"
        raise InvalidInput.at(schema_path, "SCHEMA_NEEDED", text)
    return Signature(inputs, description.outputs or (OutputSignature(schema.output),))


def _input(item: InputSchema) -> InputSignature:
    """Returns an input as the schema alone describes it. The batch is its first axis."""
    columns: tuple[AxisSize, ...] = item.shape or (item.width,)
    if item.role is Role.STATE:
        return InputSignature(item.name, item.dtype, item.dtype.value, (None, *columns))
    words = item.axes or SERVER_AXES[item.role]
    if (item.rank or RANKS[item.role]) < len(words):
        # With fewer axes than that, the input has a single column and no axis for it.
        words = tuple(word for word in words if word is not Axis.FEATURES)
    sizes = {Axis.BATCH: (None,), Axis.TIME: (None,), Axis.FEATURES: columns}
    axes = tuple(size for word in words for size in sizes[word])
    return InputSignature(item.name, item.dtype, item.dtype.value, axes)


def _axes_of(output: str, outputs: tuple[OutputSignature, ...]) -> tuple[AxisSize, ...] | None:
    return next((item.axes for item in outputs if item.name == output), None)


def _layout(
    axes: tuple[AxisSize, ...] | None, output: str, length: int | None, draft: Draft, limits: Limits
) -> OutputLayout:
    """Returns the layout of the output: (n), (n, outputs), (n, events) or (n, events, outputs).

    If the axes are ambiguous, a schema must decide, since finding it out would cost rows.
    """
    known_columns = len(draft.schema.targets) or 1
    if axes is None:
        return OutputLayout(bool(draft.per_event), known_columns)
    per_event = _per_event(axes, output, length, draft)
    if not per_event and len(axes) == 3 and _may_be_last(axes[2], length, draft):
        text = (
            f"output {output!r} {format_axes(axes)} may have a step for each event along its last axis; behind an "
            "endpoint it is the second: serve a model with a Transpose in the end (batch, events, outputs), or set "
            '"per_event": false in a schema'
        )
        raise InvalidInput.at(draft.path, "SCHEMA_NEEDED", text)
    inner = tuple(axis for axis in axes[1 + per_event :] if axis != 1)
    if not axes or len(inner) > 2 - per_event:
        text = f"output {output!r} has {len(axes)} axes, {format_axes(axes)}, but must be {EXPECTED}"
        raise InvalidInput.at(draft.path, "MODEL_OUTPUT_UNSUPPORTED", text)
    sizes = [axis for axis in inner if isinstance(axis, int)]
    count = math.prod(sizes) if len(sizes) == len(inner) else known_columns
    if count > limits.max_columns:
        text = f"output {output!r} has {count} columns, but the limit is {limits.max_columns} (--max-columns)"
        raise InvalidInput.at(draft.path, "MODEL_TOO_LARGE", text)
    steps = 0 if per_event or len(sizes) < len(inner) else forecast_steps(_sizes(axes[1:]), output)
    return OutputLayout(per_event, count, steps)


def _may_be_last(axis: AxisSize, length: int | None, draft: Draft) -> bool:
    """Returns whether the last of three axes may be events, as in convolutions, unless a schema decides otherwise."""
    stated = draft.per_event is not None or draft.schema.targets
    return not stated and (not isinstance(axis, int) or (axis > 1 and axis == length))


def _sizes(axes: tuple[AxisSize, ...]) -> tuple[int, ...]:
    return tuple(axis for axis in axes if isinstance(axis, int))


def _per_event(axes: tuple[AxisSize, ...], output: str, length: int | None, draft: Draft) -> bool:
    """Returns whether there is an output for each event.

    A fixed second axis that is not the number of events holds outputs, or steps of a forecast.
    """
    if len(axes) < 2:
        return False
    stated, sizes = draft.per_event, _sizes(axes[1:])
    if axes[1] == length and len(sizes) == len(axes) - 1:
        stated = per_event_from_targets((0, *sizes), stated, len(draft.schema.targets))
    if stated is not None:
        return stated
    unknown_size = not isinstance(axes[1], int)
    if len(axes) > 2 and unknown_size:
        return True
    if axes[1] == length or unknown_size:
        text = f"output {output!r} {format_axes(axes)} may have a step for each event, or be the model's outputs; "
        text += 'set "per_event": true or false in a schema'
        raise InvalidInput.at(draft.path, "SCHEMA_NEEDED", text)
    return False
