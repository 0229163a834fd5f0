"""Writes entries of a schema's `inputs` into messages, ready to be pasted into a schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sequela.adapters.model_io.signature import InputSignature
from sequela.explain.schema import InputSchema, Role


def entry(item: InputSchema) -> str:
    """Writes one entry as JSON. Keys with their default value are left out."""
    keys: dict[str, Any] = {"name": item.name, "role": item.role.value, "dtype": item.dtype.value}
    if item.width != 1 and item.role is not Role.STATE:
        keys["width"] = item.width
    if item.shape:
        keys["shape"] = list(item.shape)
    if item.axes:
        keys["axes"] = [axis.value for axis in item.axes]
    if item.pad_value:
        keys["pad_value"] = item.pad_value
    if item.allow_nan:
        keys["allow_nan"] = True
    if item.initial or item.role is Role.STATE:
        keys["initial"] = item.initial
    return json.dumps(keys)


def entries(items: Iterable[InputSchema]) -> str:
    """Writes the key `inputs` with all entries."""
    return f'"inputs": [{", ".join(map(entry, items))}]'


def guess_input(seen: InputSignature, role: Role) -> InputSchema:
    """Guesses the entry of an input in this role from its axes. Only for messages: free sizes count as 1."""
    columns = seen.axes[2:] if role is Role.EVENTS else seen.axes[1:]
    width = 1
    for size in columns:
        width *= size if isinstance(size, int) else 1
    shape = tuple(size for size in columns if isinstance(size, int)) if len(columns) > 1 else ()
    return InputSchema(seen.name, role, seen.dtype, width, shape=shape)
