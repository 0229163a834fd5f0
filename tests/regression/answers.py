"""Writes an answer as lines of text, numbers and words apart, and digests them.

A line is `path = value`. Floats are written in hexadecimal, so that every bit counts. Fields that differ from run to
run, such as times, are left out. Words are the fields that people read: messages, labels, displayed values. Everything
else, the structure of the answer included, counts as numbers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

VOLATILE = frozenset(
    {
        "explanation_name",
        "create_time",
        "stage_times",
        "stage_seconds",
        "seconds",
        "cached",
        "request_id",
        "endpoint_uri",
        "requested_by",
    }
)
"""Fields that differ between two runs, or by who asks, in any message."""
VOLATILE_OF = frozenset(
    {
        ("", "name"),
        ("Explanation", "name"),
        ("ExplanationSummary", "name"),
        ("LevelQuality", "time"),
        ("quality", "time"),
    }
)
"""Fields that differ between two runs in this message, or below this key. The empty key is the root."""
WORDS = frozenset(
    {
        "message",
        "detail",
        "state_detail",
        "execution",
        "label",
        "unit",
        "description",
        "display",
        "displayed",
        "static_values",
        "method_version",
        "reasons",
        "reasons_version",
    }
)
"""Fields that people read. The numbers of reasons are those of their attributions."""
PORT = re.compile(r"127\.0\.0\.1:\d+")
"""Servers listen on free ports, which messages may name."""
WORDS_OF = frozenset({("EventValues", "values"), ("event_values", "values")})


@dataclass(frozen=True)
class Refusal:
    """The error that a request was answered with: its status code, its reason, the fields at fault, and the message."""

    code: str
    reason: str
    fields: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Lines:
    """The lines of an answer, in order."""

    numbers: tuple[str, ...]
    words: tuple[str, ...]

    def digests(self) -> dict[str, str]:
        """SHA-256 of each part."""
        return {"numbers": _digest(self.numbers), "words": _digest(self.words)}


def lines(answer: Any, left_out: frozenset[str] = frozenset()) -> Lines:
    """Writes an answer as lines.

    Args:
        answer: A protobuf message, a dataclass, an array, or mappings and lists of these.
        left_out: Names of further fields to leave out.
    """
    every = list(_walk(answer, "", "", False, left_out))
    return Lines(
        tuple(line for is_words, line in every if not is_words),
        tuple(line for is_words, line in every if is_words),
    )


def _digest(text: tuple[str, ...]) -> str:
    return sha256("\n".join(text).encode()).hexdigest()


def _walk(
    value: Any, path: str, owner: str, words: bool, left_out: frozenset[str]
) -> Iterator[tuple[bool, str]]:
    fields = _fields(value)
    if fields is None:
        yield words, f"{path} = {_leaf(value)}"
        return
    kind = value.DESCRIPTOR.name if isinstance(value, Message) else owner
    for name, inner in fields:
        if name in VOLATILE or name in left_out or (kind, name) in VOLATILE_OF:
            continue
        are_words = words or name in WORDS or (kind, name) in WORDS_OF
        below = owner if isinstance(value, list | tuple) else name
        yield from _walk(inner, f"{path}/{name}", below, are_words, left_out)


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """The parts of a value by name, in a fixed order; None for a value without parts."""
    match value:
        case Message():
            return [(field.name, _plain(field, held)) for field, held in value.ListFields()]
        case Mapping():
            return sorted((str(key), held) for key, held in value.items())
        case list() | tuple():
            return [(str(place), held) for place, held in enumerate(value)]
        case np.ndarray():
            return [("shape", list(value.shape)), ("elements", value.ravel().tolist())]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return None


def _plain(field: FieldDescriptor, held: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(held)
    return held if isinstance(held, str | bytes | int | float | Message) else list(held)


def _leaf(value: Any) -> str:
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, float):
        return value.hex()
    return PORT.sub("127.0.0.1:port", repr(value))
