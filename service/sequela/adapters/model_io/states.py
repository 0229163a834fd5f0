"""Recognises initial states among a model's inputs. The server fills them in, since no caller has them."""

from __future__ import annotations

import math
import re

from sequela.adapters.model_io.axis_names import axis_meaning
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.signature import AxisSize, InputSignature, Signature
from sequela.explain.schema import Axis, InputSchema, Role

STATE_NAME = re.compile(
    r"(^|[^a-z])(h|c|hx|cx|hn|cn|hid|hidden|cell|state|states|statein|stateout|staten|carry)([^a-z]|$)",
    re.IGNORECASE,
)
DIRECTION_PREFIX = re.compile(r"^((initial|final|init|prev|previous|next|new|last|in|out)_)+")
DIRECTION_SUFFIX = re.compile(r"(_?(initial|final|init|prev|previous|next|new|last|in|out|n|\d+))+$")
"""The parts in which the names of an initial state and of the same state as an output differ."""


def is_state(item: InputSignature, use: InputUse | None, signature: Signature) -> bool:
    """Returns whether an input is an initial state.

    It is one if a recurrent node starts from it and it has three axes or the name of a state. Without such a node, it
    is one if it has the name and shape of a state and the model returns the same state (`h0` and `hn`, `state` and
    `stateN`).
    """
    named = STATE_NAME.search(item.name) is not None
    if use and use.state:
        return item.rank == 3 or named
    others = (each.name for each in signature.outputs if each.name != item.name)
    # A model with a state that callers carry on also returns it, under a similar name.
    given_back = any(_stem(name) == _stem(item.name) for name in others)
    return named and given_back and item.rank in (2, 3) and _has_state_shape(item)


def state_input(item: InputSignature, initial: float = 0.0) -> InputSchema:
    """Returns the schema entry of a state."""
    sizes = [size for size in item.axes if isinstance(size, int)]
    return InputSchema(item.name, Role.STATE, item.dtype, math.prod(sizes) if sizes else 1, initial=initial)


def state_axes(
    item: InputSchema, seen: InputSignature, use: InputUse | None
) -> tuple[int | None, tuple[AxisSize, ...]]:
    """Returns the axes of a state.

    Args:
        item: The state as the schema describes it; its `shape` has the sizes that the model leaves open.
        seen: The state as the model has it.
        use: How the graph uses it, if that is known.

    Returns:
        The index of the axis that counts sequences (None if there is none), and the known sizes of all axes.
    """
    if use and use.state:
        batch: int | None = use.state.batch
        sizes = use.state.sizes
    else:
        batch, sizes = _batch_axis(seen), seen.axes
    others = [axis for axis in range(len(sizes)) if axis != batch]
    if len(item.shape) == len(others):
        known = dict(zip(others, item.shape, strict=True))
        sizes = tuple(known.get(axis, size) for axis, size in enumerate(sizes))
    return batch, sizes


def _batch_axis(seen: InputSignature) -> int | None:
    named = [axis for axis, size in enumerate(seen.axes) if axis_meaning(size) is Axis.BATCH]
    free = [axis for axis, size in enumerate(seen.axes) if not isinstance(size, int)]
    # A state (layers, n, width) or (n, width): without names, the free axis counts sequences.
    if named or free:
        return (named or free)[0]
    return {2: 0, 3: 1}.get(seen.rank)


def _stem(name: str) -> str:
    return DIRECTION_SUFFIX.sub("", DIRECTION_PREFIX.sub("", name.lower()))


def _has_state_shape(item: InputSignature) -> bool:
    """Returns whether axes are (layers, sequences, width) or (sequences, width), with a free number of sequences."""
    *outer, last = item.axes
    layers = outer[:-1]
    return (
        isinstance(last, int)
        and all(isinstance(size, int) for size in layers)
        and not isinstance(outer[-1], int)
    )
