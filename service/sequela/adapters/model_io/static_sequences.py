"""Recognises inputs of three or more axes that are not the sequence to explain: a known future beside the past."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from sequela.adapters.model_io.schema_entries import entries, guess_input
from sequela.adapters.model_io.signature import InputSignature
from sequela.errors import InvalidInput
from sequela.explain.schema import InputSchema, Role

FUTURE_NAME = re.compile(
    r"future|(^|[^a-z])(dec|decoder|tgt|target|horizon|known|ahead|next)([^a-z]|$)|_dec$", re.IGNORECASE
)
EXAMPLE_STEPS = 4
"""Stands for a free number of steps in a schema entry that the reader has to complete."""


def static_sequences(items: Sequence[InputSignature], path: str) -> frozenset[str]:
    """Returns the names of the inputs that have a number of steps of their own.

    They are recognised by a name like "future", or by a fixed number of steps beside a free number of events.

    Args:
        items: Inputs of three or more axes, in the server's order.
        path: The field of the request to which errors refer.

    Raises:
        InvalidInput: SCHEMA_NEEDED if several numbers of steps are left and nothing shows which is the sequence.
    """
    if len({item.axes[1] for item in items}) < 2:
        return frozenset()
    named = {item.name for item in items if FUTURE_NAME.search(item.name)}
    free = {item.name for item in items if not isinstance(item.axes[1], int)}
    # If all inputs have such a name, the names distinguish nothing.
    static = named if 0 < len(named) < len(items) else set()
    left = [item for item in items if item.name not in static]
    # The sequence to explain has the free length, so a fixed number of steps beside it is something else.
    if any(item.name in free for item in left):
        static |= {item.name for item in left if item.name not in free}
    left = [item for item in items if item.name not in static]
    lengths = {item.axes[1] for item in left if isinstance(item.axes[1], int)}
    if len(lengths) > 1 or any(item.name in static and not _is_fixed(item) for item in items):
        raise _undecided_error(items, path)
    return frozenset(static)


def static_sequence(item: InputSignature) -> InputSchema:
    """Returns the schema entry of such an input: one set of values, which is present or absent as a whole."""
    shape = tuple(size for size in item.axes[1:] if isinstance(size, int))
    return InputSchema(item.name, Role.STATIC, item.dtype, math.prod(shape), shape=shape)


def _is_fixed(item: InputSignature) -> bool:
    return all(isinstance(size, int) for size in item.axes[1:])


def _undecided_error(items: Sequence[InputSignature], path: str) -> InvalidInput:
    """Returns the error, with a schema in which the longest input is the sequence."""
    fixed = {item.name: item.axes[1] for item in items if isinstance(item.axes[1], int)}
    # If no input has a free length, the longest one is the best guess.
    longest = max(fixed, key=lambda name: fixed[name], default=items[0].name)
    sequence = items[0].name if len(fixed) < len(items) and items[0].name not in fixed else longest
    likely = [_entry(item, Role.EVENTS if item.name == sequence else Role.STATIC) for item in items]
    found = ", ".join(f"{item.name} {item.description}" for item in items)
    text = (
        f"the model's inputs have different numbers of steps: {found}. One sequence is explained; an input with "
        f"steps of its own, such as a known future, is static and has a shape. If the sequence is {sequence!r}, write "
        f"in a schema: {entries(likely)}"
    )
    return InvalidInput.at(path, "SCHEMA_NEEDED", text)


def _entry(item: InputSignature, role: Role) -> InputSchema:
    if role is Role.EVENTS:
        return guess_input(item, role)
    shape = tuple(size if isinstance(size, int) else EXAMPLE_STEPS for size in item.axes[1:])
    return replace(guess_input(item, role), width=math.prod(shape), shape=shape)
