"""Initial states among a model's inputs: what a recurrent model starts from, which no caller has."""

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
BEGINNINGS = re.compile(r"^((initial|final|init|prev|previous|next|new|last|in|out)_)+")
ENDINGS = re.compile(r"(_?(initial|final|init|prev|previous|next|new|last|in|out|n|\d+))+$")
"""What tells a state that goes in from the same one that comes out."""


def is_state(item: InputSignature, use: InputUse | None, signature: Signature) -> bool:
    """Three axes of which a recurrent node starts, or two of such a name; or by name and shape where the model also
    gives such a state back: `h0` and `hn`, `state` and `stateN`.
    """
    named = STATE_NAME.search(item.name) is not None
    if use and use.state:
        return item.rank == 3 or named
    others = (each.name for each in signature.outputs if each.name != item.name)
    given_back = any(_stem(name) == _stem(item.name) for name in others)
    return named and given_back and item.rank in (2, 3) and _has_shape(item)


def state_input(item: InputSignature, initial: float = 0.0) -> InputSchema:
    """Its entry."""
    sizes = [size for size in item.axes if isinstance(size, int)]
    return InputSchema(item.name, Role.STATE, item.dtype, math.prod(sizes) if sizes else 1, initial=initial)


def state_axes(
    item: InputSchema, seen: InputSignature, use: InputUse | None
) -> tuple[int | None, tuple[AxisSize, ...]]:
    """Its axis that counts sequences (None: it has none), and what is known of the sizes of all its axes."""
    if use and use.state:
        batch: int | None = use.state.batch
        sizes = use.state.sizes
    else:
        batch, sizes = _batch_axis(seen), seen.axes
    told = [place for place in range(len(sizes)) if place != batch]
    if len(item.shape) == len(told):
        known = dict(zip(told, item.shape, strict=True))
        sizes = tuple(known.get(place, size) for place, size in enumerate(sizes))
    return batch, sizes


def _batch_axis(seen: InputSignature) -> int | None:
    named = [place for place, size in enumerate(seen.axes) if axis_meaning(size) is Axis.BATCH]
    free = [place for place, size in enumerate(seen.axes) if not isinstance(size, int)]
    if named or free:
        return (named or free)[0]
    return {2: 0, 3: 1}.get(seen.rank)


def _stem(name: str) -> str:
    return ENDINGS.sub("", BEGINNINGS.sub("", name.lower()))


def _has_shape(item: InputSignature) -> bool:
    """(layers, sequences, width) or (sequences, width)."""
    *outer, last = item.axes
    layers = outer[:-1]
    return (
        isinstance(last, int)
        and all(isinstance(size, int) for size in layers)
        and not isinstance(outer[-1], int)
    )
