"""Inputs whose number of axes alone says that a schema, or another export, is needed."""

from __future__ import annotations

import re

from sequela.adapters.model_io.entries import entry, guessed
from sequela.adapters.model_io.signature import InputSignature
from sequela.adapters.model_io.uses import Use
from sequela.errors import InvalidInput
from sequela.explaining.schema import Dtype, InputSchema, Role

CACHE_NAME = re.compile("past_key|past_value|key_values|kv_cache|(^|[^a-z])cache([^a-z]|$)", re.IGNORECASE)
EXAMPLES = {Dtype.BOOL: 0.0, Dtype.INT32: 16000.0, Dtype.INT64: 16000.0}


def one_number(item: InputSignature) -> InputSchema:
    """The entry of an input without axes; the number is an example."""
    return InputSchema(item.name, Role.STATE, item.dtype, initial=EXAMPLES.get(item.dtype, 0.5))


def check_rank(item: InputSignature, use: Use | None, path: str) -> None:
    """Raises InvalidInput: SCHEMA_NEEDED for what may be an image, MODEL_INPUT_UNSUPPORTED for a cache of events."""
    if item.rank > 3 and CACHE_NAME.search(item.name):
        text = (
            f"input {item.name!r} {item.shown} is a cache of past events, which nobody has when a whole sequence is "
            "explained; export the model without it (use_cache=False)"
        )
        raise InvalidInput.at(path, "MODEL_INPUT_UNSUPPORTED", text)
    if item.rank > 3 and use and not use.axes and not use.state:
        text = (
            f"input {item.name!r} {item.shown} goes into {use.node}, as an image does; if its second axis counts "
            f"events, say so in a schema: {entry(guessed(item, Role.EVENTS))}"
        )
        raise InvalidInput.at(path, "SCHEMA_NEEDED", text)
