"""Inputs of three axes and more that are no sequence to explain: a known future beside the past."""

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


def static_sequences(items: Sequence[InputSignature], path: str) -> frozenset[str]:
    """The names of those with a number of steps of their own, axes in the server's order.

    They are told by a name like "future", or by a fixed number of steps beside a free number of events. Raises
    InvalidInput (SCHEMA_NEEDED) where several numbers of steps are left and nothing tells.
    """
    if len({item.axes[1] for item in items}) < 2:
        return frozenset()
    named = {item.name for item in items if FUTURE_NAME.search(item.name)}
    free = {item.name for item in items if not isinstance(item.axes[1], int)}
    apart = named if 0 < len(named) < len(items) else set()
    left = [item for item in items if item.name not in apart]
    if any(item.name in free for item in left):
        apart |= {item.name for item in left if item.name not in free}
    left = [item for item in items if item.name not in apart]
    lengths = {item.axes[1] for item in left if isinstance(item.axes[1], int)}
    if len(lengths) > 1 or any(item.name in apart and not _is_fixed(item) for item in items):
        raise _undecided(items, path)
    return frozenset(apart)


def static_sequence(item: InputSignature) -> InputSchema:
    """Its entry: one set of values, switched as one."""
    shape = tuple(size for size in item.axes[1:] if isinstance(size, int))
    return InputSchema(item.name, Role.STATIC, item.dtype, math.prod(shape), shape=shape)


def _is_fixed(item: InputSignature) -> bool:
    return all(isinstance(size, int) for size in item.axes[1:])


def _undecided(items: Sequence[InputSignature], path: str) -> InvalidInput:
    """The longest is taken for the sequence in what can be pasted."""
    fixed = {item.name: item.axes[1] for item in items if isinstance(item.axes[1], int)}
    longest = max(fixed, key=lambda name: fixed[name], default=items[0].name)
    sequence = items[0].name if len(fixed) < len(items) and items[0].name not in fixed else longest
    likely = [_entry(item, Role.EVENTS if item.name == sequence else Role.STATIC) for item in items]
    shown = ", ".join(f"{item.name} {item.description}" for item in items)
    text = (
        f"its inputs have different numbers of steps: {shown}. One sequence is explained; an input with steps of its "
        "own, as a known future, is static, with the shape of its values. If the sequence is "
        f"{sequence!r}, say in a schema: {entries(likely)}"
    )
    return InvalidInput.at(path, "SCHEMA_NEEDED", text)


def _entry(item: InputSignature, role: Role) -> InputSchema:
    """Free numbers of steps are written as 4, for the reader to change."""
    if role is Role.EVENTS:
        return guess_input(item, role)
    shape = tuple(size if isinstance(size, int) else 4 for size in item.axes[1:])
    return replace(guess_input(item, role), width=math.prod(shape), shape=shape)
