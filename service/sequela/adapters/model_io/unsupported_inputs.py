"""Recognises inputs that no caller can send: masks between events, caches, images, single numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.schema_entries import entry, guess_input
from sequela.adapters.model_io.signature import InputSignature
from sequela.errors import InvalidInput
from sequela.explain.schema import Axis, Dtype, InputSchema, Role

CACHE_NAME = re.compile("past_key|past_value|key_values|kv_cache|(^|[^a-z])cache([^a-z]|$)", re.IGNORECASE)
MASK_NAME = re.compile("mask", re.IGNORECASE)
EXAMPLES = {Dtype.BOOL: 0.0, Dtype.INT32: 16000.0, Dtype.INT64: 16000.0}
"""Example values in messages for a number that only the caller knows (an integer is often a sample rate)."""


def scalar_input(item: InputSignature) -> InputSchema:
    """Returns the schema entry of an input without axes, with a number as an example."""
    return InputSchema(item.name, Role.STATE, item.dtype, initial=EXAMPLES.get(item.dtype, 0.5))


def check_mask(item: InputSignature, inputs: Sequence[InputSignature], path: str) -> None:
    """Refuses a mask between events, such as a causal one (l, l).

    Args:
        item: The input to check.
        inputs: All inputs of the model but its states.
        path: The field of the request to which errors refer.

    Raises:
        InvalidInput: MODEL_INPUT_UNSUPPORTED.
    """
    others = [other for other in inputs if other is not item]
    if MASK_NAME.search(item.name) and _is_between_events(item, others):
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", square_mask_text(item))


def square_mask_text(item: InputSignature) -> str:
    """Returns why a mask that is not (batch, events) is refused, and what to do."""
    return (
        f"input {item.name!r} {item.description} is a mask between events; only a mask of the events (batch, events) "
        "can be filled in. Export the model so that it makes this mask itself: in torch, build it in forward from "
        "x.shape, or pass is_causal=True"
    )


def _is_between_events(item: InputSignature, others: Sequence[InputSignature]) -> bool:
    """Returns whether a mask is square, (l, l) or (n, l, l), or has an axis for heads, (n, 1, 1, l)."""
    # With two more entries, there are always two axes to look at.
    *_, before, last = (None, None, *item.axes)
    square = last is not None and before == last
    if item.rank == 2:
        return square and not any(other.axes[:1] == item.axes[:1] for other in others)
    if item.rank < 3 or any(other.axes[1:] == item.axes[1:] for other in others):
        return False
    heads = item.axes[1] == 1 and any(other.rank > 1 and other.axes[1] == last for other in others)
    return square or heads or not isinstance(last, int)


def check_rank(item: InputSignature, use: InputUse | None, path: str) -> None:
    """Refuses inputs of more than three axes that are not sequences of events.

    Raises:
        InvalidInput: MODEL_INPUT_UNSUPPORTED for a cache of past events; SCHEMA_NEEDED for what may be an image.
    """
    if item.rank > 3 and CACHE_NAME.search(item.name):
        text = (
            f"input {item.name!r} {item.description} is a cache of past events, which does not exist when a whole "
            "sequence is explained. Export the model without it (use_cache=False)"
        )
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
    # `use.axes` is empty for a convolution over several axes.
    if item.rank > 3 and use and not use.axes and not use.state:
        text = (
            f"input {item.name!r} {item.description} goes into {use.node}, as an image does. If its second axis counts "
            f"events, write in a schema: {entry(guess_input(item, Role.EVENTS))}{_if_last_axis_counts(item)}"
        )
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)


def _if_last_axis_counts(item: InputSignature) -> str:
    """Returns the entry for events along the last axis, as in recordings (n, 1, channels, samples)."""
    sizes = tuple(size for size in item.axes[1:-1] if isinstance(size, int))
    if len(sizes) != item.rank - 2:
        return ""
    axes = (Axis.BATCH, Axis.FEATURES, Axis.TIME)
    turned = InputSchema(item.name, Role.EVENTS, item.dtype, math.prod(sizes), shape=sizes, axes=axes)
    return f"; if its last axis does: {entry(turned)}"
