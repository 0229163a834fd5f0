"""What a served model takes and gives: what its endpoint says, and what a schema adds. Read before any row is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sequela.adapters.endpoints.transports.transport import Description, OutputSignature
from sequela.adapters.model_io.arrangement import USUAL
from sequela.adapters.model_io.assumptions import assumptions
from sequela.adapters.model_io.entries import entries
from sequela.adapters.model_io.outputs import OutputLayout
from sequela.adapters.model_io.schema import Draft, complete_schema, draft_schema, output_name
from sequela.adapters.model_io.schema_json import read_schema
from sequela.adapters.model_io.signature import Axis as Size
from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.adapters.model_io.sizes import FixedSizes, read_sizes
from sequela.errors import InvalidInput
from sequela.explaining.explanation import ExplanationWarning
from sequela.explaining.limits import Limits
from sequela.explaining.schema import Axis, InputSchema, ModelSchema, Role

RANKS: dict[Role, int] = {Role.EVENTS: 3, Role.STATIC: 2, Role.MASK: 2, Role.LENGTH: 1}
"""Axes that an input has where neither the endpoint nor the schema says."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A model's complete schema, what it takes in the server's order of axes and in its own, its output, the sizes that
    it fixes, and what was assumed.
    """

    schema: ModelSchema
    signature: Signature
    served: Signature
    output: str
    sizes: FixedSizes
    warnings: tuple[ExplanationWarning, ...] = ()


def read(
    description: Description, schema_json: bytes, limits: Limits, uri_path: str, schema_path: str
) -> Reading:
    """Puts both together. The paths tell where they stand in the request, or in the repository.

    Raises InvalidInput: SCHEMA_NEEDED where neither tells, SCHEMA_DOES_NOT_FIT where they disagree, and what reading
    a schema raises.
    """
    signature = _signature(description, schema_json, uri_path, schema_path)
    draft = draft_schema({}, signature, schema_json, limits, uri_path, schema_path)
    output = output_name(draft, signature)
    _check_batch_first(draft)
    sizes = read_sizes(draft.schema.inputs, draft.arranged, limits, draft.path)
    layout = _layout(_axes_of(output, description.outputs), output, sizes.length, draft, limits)
    # Whether outputs are bounded an endpoint does not tell; a schema may.
    schema = complete_schema(draft, {}, output, layout, False)
    assumed = (*assumptions(draft, signature, {}, True), *_masks(draft))
    return Reading(schema, draft.arranged, signature, output, sizes, assumed)


def _masks(draft: Draft) -> Iterator[ExplanationWarning]:
    """No row is spent on finding out what a mask marks."""
    masks = [item for item in draft.schema.inputs if item.role is Role.MASK]
    if masks and not draft.written:
        text = (
            f"The mask {', '.join(repr(item.name) for item in masks)} is read with 1 for an event and 0 for "
            "padding; if it "
            f'is the other way round, say "pad_value": 1 in a schema: {entries(draft.schema.inputs)}.'
        )
        yield ExplanationWarning("MASK_NOT_PROVEN", text)


def _check_batch_first(draft: Draft) -> None:
    """Servers put the rows of a call, and those of several calls, together along the first axis."""
    for index, item in enumerate(draft.schema.inputs):
        if item.axes and item.axes[0] is not Axis.BATCH:
            text = (
                f"inputs[{index}] {item.name!r}: axes: {', '.join(item.axes)}; behind an endpoint the batch comes "
                "first: "
                "serve a model that takes it so (batch_first=True)"
            )
            raise InvalidInput.at(draft.path, "SCHEMA_DOES_NOT_FIT", text)


def _signature(description: Description, schema_json: bytes, uri_path: str, schema_path: str) -> Signature:
    names = tuple(item.name for item in description.outputs)
    if description.inputs and names:
        return Signature(description.inputs, names)
    if not schema_json:
        text = "the endpoint does not say what its model takes and gives; give a schema with inputs"
        raise InvalidInput.at(uri_path, "SCHEMA_NEEDED", text)
    schema = read_schema(schema_json, schema_path)
    inputs = description.inputs or tuple(map(_input, schema.inputs))
    if not inputs:
        text = "inputs: missing, and the endpoint does not say what its model takes"
        raise InvalidInput.at(schema_path, "SCHEMA_NEEDED", text)
    return Signature(inputs, names or (schema.output,))


def _input(item: InputSchema) -> InputSignature:
    """As the schema alone tells it; the batch comes first."""
    columns: tuple[Size, ...] = item.shape or (item.width,)
    if item.role is Role.STATE:
        return InputSignature(item.name, item.dtype, item.dtype.value, (None, *columns))
    words = item.axes or USUAL[item.role]
    if (item.rank or RANKS[item.role]) < len(words):
        words = tuple(word for word in words if word is not Axis.FEATURES)
    sizes = {Axis.BATCH: (None,), Axis.TIME: (None,), Axis.FEATURES: columns}
    axes = tuple(size for word in words for size in sizes[word])
    return InputSignature(item.name, item.dtype, item.dtype.value, axes)


def _axes_of(output: str, outputs: tuple[OutputSignature, ...]) -> tuple[Size, ...] | None:
    return next((item.axes for item in outputs if item.name == output), None)


def _layout(
    axes: tuple[Size, ...] | None, output: str, length: int | None, draft: Draft, limits: Limits
) -> OutputLayout:
    """(n), (n, outputs), (n, events) or (n, events, outputs); rows are not spent on finding out, so that a schema must
    say what the axes leave open.
    """
    told = len(draft.schema.targets) or 1
    if axes is None:
        return OutputLayout(bool(draft.per_event), told)
    if len(axes) > 3 or not axes:
        text = f"output {output!r} has {len(axes)} axes, expected (n), (n, outputs), (n, events), (n, events, outputs)"
        raise InvalidInput.at(draft.path, "MODEL_OUTPUT_UNSUPPORTED", text)
    per_event = _per_event(axes, output, length, draft)
    last = axes[-1] if len(axes) > 1 + per_event else 1
    count = last if isinstance(last, int) else told
    if count > limits.max_columns:
        text = f"output {output!r} has {count} columns, the limit is {limits.max_columns}"
        raise InvalidInput.at(draft.path, "MODEL_TOO_LARGE", text)
    return OutputLayout(per_event, count)


def _per_event(axes: tuple[Size, ...], output: str, length: int | None, draft: Draft) -> bool:
    if len(axes) == 3:
        return True
    if len(axes) == 1:
        return False
    if draft.per_event is not None:
        return draft.per_event
    if axes[1] == length or not isinstance(axes[1], int):
        text = f"output {output!r} may have a step for each event, or be the model's outputs; say per_event in a schema"
        raise InvalidInput.at(draft.path, "SCHEMA_NEEDED", text)
    return False
