"""What each input of a signature carries, worked out from its rank, its element type and its name.

The law, for graphs that come without a schema. The batch is the first axis; time is the second axis of inputs
of rank 3.

    rank 3                                            events (n, l, width)
    rank 2, bool, or named like a mask, over time     mask (n, l)
    rank 2, over time                                 events (n, l), a width of 1
    rank 2, any other                                 static (n, width)
    rank 1 or (n, 1), integer, named like a length    length (n)
    rank 1, any other                                 static (n), a width of 1

A rank-2 input lies over time if its second axis is that of a rank-3 input, except that a fixed number of
float columns beside a rank-3 input is static; where there is none of rank 3, if it is free, or the input is
the only candidate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sequela.adapters.model_io.signature import Axis, InputSignature, Signature
from sequela.errors import InvalidInput
from sequela.explaining.schema import Dtype, InputSchema, Role

MASK_NAME = re.compile("mask", re.IGNORECASE)
INVERTED_NAME = re.compile("pad", re.IGNORECASE)
LENGTH_NAME = re.compile("(^|[^a-z]|seq|sequence)(len|lens|length|lengths)([^a-z]|$)", re.IGNORECASE)
INTEGERS = (Dtype.INT32, Dtype.INT64)
FLOATS = (Dtype.FLOAT32, Dtype.FLOAT64)


def infer_inputs(signature: Signature, path: str) -> tuple[InputSchema, ...]:
    """The inputs with their roles, in the signature's order.

    Raises InvalidInput (SCHEMA_NEEDED) where the signature does not tell: a free number of columns, no events, or
    a mask that by its name may mark padding instead of real events.
    """
    inputs = tuple(_input(item, _role(item, signature.inputs), path) for item in signature.inputs)
    if not any(item.role is Role.EVENTS for item in inputs):
        shown = ", ".join(f"{item.name} {item.shown}" for item in signature.inputs)
        raise InvalidInput.at(path, "SCHEMA_NEEDED", f"none of its inputs looks like events: {shown}")
    return inputs


def _role(item: InputSignature, inputs: Sequence[InputSignature]) -> Role:
    if item.rank == 3:
        return Role.EVENTS
    if _named_like_a_length(item):
        return Role.LENGTH
    if item.rank == 1:
        return Role.STATIC
    masks = item.dtype is Dtype.BOOL or MASK_NAME.search(item.name)
    if masks and any(_same(item.axes[1], time) for time in _times(inputs)):
        return Role.MASK
    return Role.EVENTS if _over_time(item, inputs) else Role.STATIC


def _named_like_a_length(item: InputSignature) -> bool:
    """(n), or (n, 1) as some exporters write it."""
    one_value = item.rank == 1 or item.axes[1:] == (1,)
    return one_value and item.dtype in INTEGERS and LENGTH_NAME.search(item.name) is not None


def _times(inputs: Sequence[InputSignature]) -> tuple[Axis, ...]:
    """The second axes that count events."""
    triples = tuple(item.axes[1] for item in inputs if item.rank == 3)
    return triples or tuple(item.axes[1] for item in inputs if item.rank == 2 and _over_time(item, inputs))


def _over_time(item: InputSignature, inputs: Sequence[InputSignature]) -> bool:
    """Whether the second axis of a rank-2 input that is no mask counts events."""
    triples = [other.axes[1] for other in inputs if other.rank == 3]
    fixed = isinstance(item.axes[1], int)
    if triples:
        return not (fixed and item.dtype in FLOATS) and any(_same(item.axes[1], time) for time in triples)
    pairs = [other for other in inputs if other.rank == 2 and not MASK_NAME.search(other.name)]
    return not fixed or len(pairs) == 1


def _same(axis: Axis, time: Axis) -> bool:
    """Free axes may be the same one unless both have names; a fixed one never is a free one."""
    if isinstance(axis, int) or isinstance(time, int):
        return axis == time
    return axis == time or axis is None or time is None


def _input(item: InputSignature, role: Role, path: str) -> InputSchema:
    if role is Role.MASK and INVERTED_NAME.search(item.name):
        text = f"input {item.name!r} may mark padding; give a schema if 1 stands for a real event in it"
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)
    if role in (Role.MASK, Role.LENGTH) or (role is Role.EVENTS and item.rank == 2) or item.rank == 1:
        return InputSchema(item.name, role, item.dtype)
    width = item.axes[-1]
    if not isinstance(width, int):
        text = f"input {item.name!r} {item.shown} does not tell its number of columns; give a schema"
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)
    return InputSchema(item.name, role, item.dtype, width)
