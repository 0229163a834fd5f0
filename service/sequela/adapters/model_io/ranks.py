"""Inputs whose number of axes alone says that a schema, or another export, is needed."""

from __future__ import annotations

import re

from sequela.adapters.model_io.entries import entry
from sequela.adapters.model_io.signature import InputSignature
from sequela.errors import InvalidInput
from sequela.explaining.schema import Dtype, InputSchema, Role

CACHE_NAME = re.compile("past_key|past_value|key_values|kv_cache|(^|[^a-z])cache([^a-z]|$)", re.IGNORECASE)
EXAMPLES = {Dtype.BOOL: 0.0, Dtype.INT32: 16000.0, Dtype.INT64: 16000.0}


def check_rank(item: InputSignature, path: str) -> None:
    """Raises InvalidInput (SCHEMA_NEEDED) for one number for the whole call, and for a cache of past events."""
    if item.rank == 0:
        example = InputSchema(item.name, Role.STATE, item.dtype, initial=EXAMPLES.get(item.dtype, 0.5))
        text = (
            f"input {item.name!r} takes one number for the whole call; say in a schema which it is, here "
            f"{example.initial:g}: {entry(example)}; or export the model with this number fixed in it"
        )
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)
    if item.rank > 3 and CACHE_NAME.search(item.name):
        text = (
            f"input {item.name!r} {item.shown} is a cache of past events, which nobody has when a sequence is explained "
            "as a whole; export the model without it (use_cache=False)"
        )
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
