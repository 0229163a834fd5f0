"""Infers the role of each input from its number of axes (rank), its element type and its name.

These are the rules for graphs without a schema. Initial states are found first (`states`), then the order of the axes
of inputs (`event_axes`). In the server's order the batch is the first axis, and time is the second one of inputs of
rank 3 and more. Then the first row that fits decides:

    input                                              role
    rank 3 and more, a fixed number of future steps    static, shape (h, width); see `static_sequences`
    rank 3 and more                                    events (n, l, width)
    used by a recurrent node as sequence lengths       length (n)
    rank 1 or (n, 1), integer, named like a length     length (n)
    rank 1                                             static (n), one column
    rank 2 over time, bool or named like a mask        mask (n, l)
    rank 2 over time                                   events (n, l), one column
    rank 2                                             static (n, width)

A rank-2 input lies over time if its second axis is the time axis of a rank-3 input, except that a fixed number of float
columns beside a rank-3 input is static. Without inputs of rank 3 it lies over time if its second axis is free, or if it
is the only candidate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from sequela.adapters.model_io.arrangement import SERVER_AXES
from sequela.adapters.model_io.event_axes import AxisOrder, EventAxes, UndecidedAxes, event_axes
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.schema_entries import entries, guess_input
from sequela.adapters.model_io.signature import AxisSize, InputSignature, Signature
from sequela.adapters.model_io.states import is_state, state_input
from sequela.adapters.model_io.static_sequences import static_sequence, static_sequences
from sequela.adapters.model_io.unsupported_inputs import MASK_NAME, check_mask, check_rank, scalar_input
from sequela.errors import InvalidInput
from sequela.explain.schema import Axis, Dtype, InputSchema, Role

INVERTED_NAME = re.compile("pad", re.IGNORECASE)
LENGTH_NAME = re.compile("(^|[^a-z]|seq|sequence)(len|lens|length|lengths)([^a-z]|$)", re.IGNORECASE)
EXAMPLE = 8
"""Stands for a number of columns in schema entries that the reader has to complete."""
INTEGERS = (Dtype.INT32, Dtype.INT64)


@dataclass(frozen=True, slots=True)
class InputRoles:
    """The inputs with their roles, in the signature's order.

    Attributes:
        inputs: The likely reading.
        alternative: Another reading of their axes, if a trial has to show which of the two is right.
    """

    inputs: tuple[InputSchema, ...]
    alternative: tuple[InputSchema, ...] | None = None


def infer_inputs(signature: Signature, uses: Mapping[str, InputUse], path: str) -> InputRoles:
    """Infers all inputs of a model that came without a schema.

    Args:
        signature: The model's inputs and outputs, in its own order of axes.
        uses: How the graph uses its inputs, as far as that is known.
        path: The path of the model in the request, for errors.

    Raises:
        InvalidInput: SCHEMA_NEEDED if the signature leaves something open: a free number of columns, no events, two
            sequences of different lengths, an ambiguous order of axes, or a mask whose name may say that it marks
            padding. MODEL_INPUT_UNSUPPORTED for inputs that no caller can send.
    """
    states = {item.name for item in signature.inputs if is_state(item, uses.get(item.name), signature)}
    data = [item for item in signature.inputs if item.name not in states]
    for item in data:
        check_mask(item, data, path)
        check_rank(item, uses.get(item.name), path)
    _check_numbers(data, signature, uses, path)
    axes: dict[str, EventAxes] = {}
    for item in data:
        try:
            axes[item.name] = event_axes(item, uses.get(item.name), None) if item.rank > 1 else EventAxes(())
        except UndecidedAxes as undecided:
            orders = {name: found.order for name, found in axes.items()}
            raise _undecided_refusal(undecided, signature, orders, states, path, uses) from None
    inputs = _inputs(signature, {name: found.order for name, found in axes.items()}, states, path, uses)
    other = {name: found.alternative or found.order for name, found in axes.items()}
    if all(found.alternative is None for found in axes.values()):
        return InputRoles(inputs)
    return InputRoles(inputs, _inputs(signature, other, states, path, uses))


def _undecided_refusal(
    undecided: UndecidedAxes,
    signature: Signature,
    orders: Mapping[str, AxisOrder],
    states: Container[str],
    path: str,
    uses: Mapping[str, InputUse],
) -> InvalidInput:
    """Returns the error for undecided axes, with likely entries for the other inputs too.

    Inputs of the same last axis probably have the same order as the undecided one.
    """
    # Both readings go into the message, ready to be pasted.
    asked = undecided.item
    alike = {item.name for item in signature.inputs if item.rank == 3 and item.axes[2] == asked.axes[2]}
    try:
        likely = _inputs(signature, orders, states, path, uses)
    except InvalidInput:
        data = [item for item in signature.inputs if item.name not in states]
        likely = tuple(guess_input(item, Role.EVENTS if item.rank > 1 else Role.STATIC) for item in data)

    def schema_text(given: InputSchema) -> str:
        found = _with_input(likely, given)
        others = [item for item in signature.inputs if item.name in alike - {asked.name}]
        for item in others:
            found = _with_input(found, undecided.entry_of(item, given.axes))
        return entries(found)

    return undecided.refusal(path, schema_text)


def complete_inputs(
    written: tuple[InputSchema, ...], signature: Signature, uses: Mapping[str, InputUse], path: str
) -> InputRoles:
    """Adds to a schema's inputs the order of axes and the shapes that they leave out.

    Args:
        written: The inputs as the schema has them.
        signature: The model's inputs and outputs, in its own order of axes.
        uses: How the graph uses its inputs, as far as that is known.
        path: The path of the schema in the request, for errors.

    Raises:
        InvalidInput: SCHEMA_NEEDED for an ambiguous order of axes.
    """
    seen = {item.name: item for item in signature.inputs}
    found: list[InputSchema] = []
    alternative: list[InputSchema] = []
    for item in written:
        item_signature = seen.get(item.name)
        if item_signature is None or item.axes or item.role not in (Role.EVENTS, Role.STATIC):
            found.append(item)
            alternative.append(item)
            continue
        with_shape = _with_shape(item, item_signature)
        axes = EventAxes(())
        if item.role is Role.EVENTS and item_signature.rank > 1:
            try:
                axes = event_axes(item_signature, uses.get(item.name), item.width)
            except UndecidedAxes as undecided:
                raise undecided.refusal(path, lambda given: entries(_with_input(written, given))) from None
        found.append(_with_axes(with_shape, item_signature, axes.order))
        alternative.append(_with_axes(with_shape, item_signature, axes.alternative or axes.order))
    return InputRoles(tuple(found), tuple(alternative) if alternative != found else None)


def _with_shape(item: InputSchema, seen: InputSignature) -> InputSchema:
    """Returns the entry with the model's axes of columns, if there are several of known size."""
    columns = seen.axes[2 if item.role is Role.EVENTS else 1 :]
    sizes = tuple(size for size in columns if isinstance(size, int))
    if item.shape:
        return replace(item, width=math.prod(item.shape)) if item.width == 1 else item
    if len(columns) < 2 or len(sizes) < len(columns):
        return item
    return replace(item, shape=sizes, width=math.prod(sizes) if item.width == 1 else item.width)


def _check_numbers(
    data: Sequence[InputSignature], signature: Signature, uses: Mapping[str, InputUse], path: str
) -> None:
    """Requires a schema if an input has no axes. It holds one number for the whole call, which nothing else reveals."""
    scalars = [item for item in data if item.rank == 0]
    if not scalars:
        return
    # Infer the other inputs as if the numbers were not there, so that the message can show a whole schema.
    others = replace(signature, inputs=tuple(item for item in signature.inputs if item not in scalars))
    likely = (*infer_inputs(others, uses, path).inputs, *map(scalar_input, scalars))
    text = (
        f"input {scalars[0].name!r} takes one number for the whole call. Set it in a schema, here to "
        f"{likely[-1].initial:g}: {entries(likely)}; or export the model with this number fixed inside"
    )
    raise InvalidInput.at(path, "SCHEMA_NEEDED", text)


def _inputs(
    signature: Signature,
    orders: Mapping[str, AxisOrder],
    states: Container[str],
    path: str,
    uses: Mapping[str, InputUse],
) -> tuple[InputSchema, ...]:
    """Returns all inputs with their roles, given the order of each one's axes."""
    known = [item for item in signature.inputs if item.name not in states]
    seen = tuple(_in_order(item, orders.get(item.name, ())) for item in known)
    static = static_sequences([item for item in seen if item.rank >= 3], path)
    # The steps of a known future say nothing about the axes of other inputs.
    others = tuple(item for item in seen if item.name not in static)
    lengths = {name for name, use in uses.items() if use.lengths}
    found = {
        item.name: _input(item, Role.LENGTH if item.name in lengths else _role(item, others))
        for item in others
    }
    found |= {item.name: static_sequence(item) for item in seen if item.name in static}
    if not any(item.role is Role.EVENTS for item in found.values()):
        found_text = ", ".join(f"{item.name} {item.description}" for item in signature.inputs)
        raise InvalidInput.at(
            path,
            "SCHEMA_NEEDED",
            f"none of the model's inputs looks like events: {found_text}. Write in a schema what each carries: "
            f"{entries(guess_input(item, Role.EVENTS if item.rank > 1 else Role.STATIC) for item in known)}",
        )
    inputs = tuple(
        state_input(item)
        if item.name in states
        else _with_axes(found[item.name], item, orders.get(item.name, ()))
        for item in signature.inputs
    )
    _check_columns_and_masks(inputs, others, path)
    return inputs


def _check_columns_and_masks(
    inputs: tuple[InputSchema, ...], seen: Sequence[InputSignature], path: str
) -> None:
    """Requires a schema if a number of columns is free, or if a mask's name says that it may mark padding."""
    known = {item.name: item for item in inputs}
    for item in seen:
        found = known[item.name]
        columns = item.axes[2:] if found.role is Role.EVENTS else item.axes[1:]
        if found.role in (Role.EVENTS, Role.STATIC) and not all(isinstance(size, int) for size in columns):
            text = f"{item.description} has a free number of columns; set it in a schema, here to {EXAMPLE}"
        elif found.role is Role.MASK and INVERTED_NAME.search(item.name):
            text = "may mark padding, by its name; if 1 stands for a real event in it, write in a schema"
        else:
            continue
        raise InvalidInput.at(path, "SCHEMA_NEEDED", f"input {item.name!r} {text}: {entries(inputs)}")


def _with_input(inputs: tuple[InputSchema, ...], given: InputSchema) -> tuple[InputSchema, ...]:
    return tuple(given if item.name == given.name else item for item in inputs)


def _in_order(item: InputSignature, order: AxisOrder) -> InputSignature:
    """Returns the input in the server's order, with several axes of columns left as they are."""
    usual = SERVER_AXES[Role.EVENTS]
    if order in ((), usual[: item.rank]):
        return item
    sizes: dict[Axis, AxisSize] = {Axis.BATCH: 1, **dict(zip(order, item.axes, strict=True))}
    return replace(item, axes=tuple(sizes[axis] for axis in usual if axis in sizes))


def _with_axes(found: InputSchema, item: InputSignature, order: AxisOrder) -> InputSchema:
    turned = found.role in (Role.EVENTS, Role.MASK) and order not in (
        (),
        SERVER_AXES[Role.EVENTS][: item.rank],
    )
    return replace(found, axes=order) if turned else found


def _role(item: InputSignature, inputs: Sequence[InputSignature]) -> Role:
    if item.rank >= 3:
        return Role.EVENTS
    if _named_like_a_length(item):
        return Role.LENGTH
    if item.rank == 1:
        return Role.STATIC
    # Booleans without a time axis may be flags of the sequence.
    masks = item.dtype is Dtype.BOOL or MASK_NAME.search(item.name)
    if masks and any(_may_be_same(item.axes[1], time) for time in _times(inputs)):
        return Role.MASK
    return Role.EVENTS if _is_over_time(item, inputs) else Role.STATIC


def _named_like_a_length(item: InputSignature) -> bool:
    """Returns whether an input has integers (n), or (n, 1) as some exporters write it, and the name of a length."""
    one_value = item.rank == 1 or item.axes[1:] == (1,)
    return one_value and item.dtype in INTEGERS and LENGTH_NAME.search(item.name) is not None


def _times(inputs: Sequence[InputSignature]) -> tuple[AxisSize, ...]:
    """Returns the sizes of the second axes that count events."""
    triples = tuple(item.axes[1] for item in inputs if item.rank >= 3)
    return triples or tuple(item.axes[1] for item in inputs if item.rank == 2 and _is_over_time(item, inputs))


def _is_over_time(item: InputSignature, inputs: Sequence[InputSignature]) -> bool:
    """Returns whether the second axis of a rank-2 input counts events. `_role` decides about masks."""
    triples = [other.axes[1] for other in inputs if other.rank >= 3]
    fixed = isinstance(item.axes[1], int)
    if triples:
        return not (fixed and item.dtype.is_float) and any(
            _may_be_same(item.axes[1], time) for time in triples
        )
    # Masks follow the time axis of the events, so they do not show where it is.
    pairs = [other for other in inputs if other.rank == 2 and not MASK_NAME.search(other.name)]
    return not fixed or len(pairs) == 1


def _may_be_same(axis: AxisSize, time: AxisSize) -> bool:
    """Returns whether two axes may be the same.

    Free axes may be the same unless both have names, and fixed ones if they have the same size.
    """
    if isinstance(axis, int) or isinstance(time, int):
        return axis == time
    return axis == time or axis is None or time is None


def _input(item: InputSignature, role: Role) -> InputSchema:
    if role in (Role.MASK, Role.LENGTH) or (role is Role.EVENTS and item.rank == 2) or item.rank == 1:
        return InputSchema(item.name, role, item.dtype)
    columns = item.axes[2:] if role is Role.EVENTS else item.axes[1:]
    sizes = tuple(size if isinstance(size, int) else EXAMPLE for size in columns)
    return InputSchema(item.name, role, item.dtype, math.prod(sizes), shape=sizes if len(sizes) > 1 else ())
