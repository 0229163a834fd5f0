"""The format of backgrounds and explanations in a store. Nothing is ever unpickled.

An explanation is stored in two parts. The record has what belongs to the request: name, caller id, labels, caller,
model name, times and cost. The body has the content: numbers, texts, and the sequence. So equal content is stored once
for all callers, and its digest contains nothing of the request. `body_form` has its form; bodies of version 1, which
are read but no longer written, have JSON before the values of the sequence.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from sequela.adapters.store.array_bytes import ArrayForm, form_of, join, little_endian, split
from sequela.adapters.store.body_form import pack_body, unpack_body
from sequela.adapters.store.envelope import (
    BACKGROUND,
    BODY,
    RECORD,
    SkipReason,
    Unreadable,
    seal,
    unseal,
    unseal_version,
)
from sequela.adapters.store.ports import Record, StoredRecord
from sequela.contract.explanations import content_bytes
from sequela.explain.background import Background
from sequela.explain.explanation import Explanation
from sequela.explain.kept_explanation import KeptExplanation, KeptSequence
from sequela.explain.request import EventInfo, NamedArray

_LENGTH = struct.Struct("<I")
Head = TypeVar("Head")


@dataclass(frozen=True, slots=True)
class _InputHead:
    """One input of a sequence, without its values, in a body of version 1."""

    name: str
    columns: tuple[str, ...]
    form: ArrayForm


@dataclass(frozen=True, slots=True)
class _SequenceHead:
    """A sequence without its values, in a body of version 1."""

    inputs: tuple[_InputHead, ...]
    events: tuple[EventInfo, ...]


@dataclass(frozen=True, slots=True)
class _BodyHead:
    """The content of a body of version 1 without the values of the sequence, which follow it."""

    explanation: Explanation
    sequence: _SequenceHead | None


@dataclass(frozen=True, slots=True)
class _BackgroundArray:
    """One array of a background, without its values: the field of `Background` and the input that it belongs to.

    Entries that were written before backgrounds had names of columns lack them.
    """

    part: str
    name: str
    form: ArrayForm
    columns: tuple[str, ...] = ()


_record_adapter = TypeAdapter(Record)
_body_adapter = TypeAdapter(_BodyHead)
_background_adapter = TypeAdapter(tuple[_BackgroundArray, ...])


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an explanation.

    Attributes:
        digest: The digest of its content, 64 hexadecimal digits.
        data: The bytes to store.
    """

    digest: str
    data: bytes


def encode_record(record: Record) -> bytes:
    """Returns the sealed content of a record."""
    return seal(RECORD, pack_record(record))


def decode_record(data: bytes) -> Record:
    """Returns the record, equal in every field. Raises Unreadable."""
    return unpack_record(unseal(RECORD, data))


def pack_record(record: Record) -> bytes:
    """Returns JSON. Floats are written so that they read back bit for bit; infinity and NaN by name.

    A list reads thousands of records, and pydantic reads JSON faster than Python makes a record of a message.
    """
    return to_json(record, inf_nan_mode="constants")


def unpack_record(content: bytes) -> Record:
    """Returns the record, equal in every field. Raises Unreadable."""
    try:
        return _record_adapter.validate_json(content)
    except ValidationError as error:
        raise Unreadable(SkipReason.DAMAGED) from error


def encode_body(explanation: Explanation, sequence: KeptSequence | None, encoded: bytes = b"") -> Body:
    """Returns the body of an explanation, with its sequence if there is one.

    `encoded` is the explanation's content as it is sent, if it was encoded already.
    """
    packed = pack_body(encoded or content_bytes(explanation), explanation, sequence)
    return Body(hashlib.sha256(packed).hexdigest(), seal(BODY, packed))


def decode_body(stored: StoredRecord) -> KeptExplanation:
    """Returns the explanation, equal in every field, and its sequence. Raises Unreadable."""
    version, packed = unseal_version(BODY, stored.body)
    found, sequence = unpack_body(packed) if version > 1 else _unpack_first_version(packed)
    summary = stored.record.summary
    explanation = replace(
        found,
        name=summary.name,
        create_time=summary.create_time,
        caller_id=summary.caller_id,
        labels=summary.labels,
        model=summary.model,
        cost=stored.record.cost,
        requested_by=summary.requested_by,
    )
    return KeptExplanation(explanation, sequence)


def encode_background(background: Background) -> bytes:
    """Returns the sealed arrays of a background."""
    arrays = [(part, name, little_endian(array)) for part, name, array in _arrays(background)]
    columns = background.columns
    heads = tuple(
        _BackgroundArray(part, name, form_of(array), columns.get(name, ())) for part, name, array in arrays
    )
    return seal(BACKGROUND, _with_head(to_json(heads), join(array for _, _, array in arrays)))


def decode_background(data: bytes) -> Background:
    """Returns the background, with read-only arrays that are equal bit for bit. Raises Unreadable."""
    content = unseal(BACKGROUND, data)
    heads, offset = _read_head(_background_adapter, content)
    parts: dict[str, dict[str, NDArray[Any]]] = {"rows": {}, "mean_event": {}, "static": {}}
    try:
        for head, array in zip(heads, split(content, offset, [head.form for head in heads]), strict=True):
            parts[head.part][head.name] = array
        return Background(**parts, columns={head.name: head.columns for head in heads if head.columns})
    except (ValueError, KeyError) as error:
        raise Unreadable(SkipReason.DAMAGED) from error


def _unpack_first_version(packed: bytes) -> tuple[Explanation, KeptSequence | None]:
    head, offset = _read_head(_body_adapter, packed)
    return head.explanation, _sequence(head.sequence, packed, offset)


def _sequence(head: _SequenceHead | None, content: bytes, offset: int) -> KeptSequence | None:
    if head is None:
        return None
    try:
        arrays = list(split(content, offset, [each.form for each in head.inputs]))
    except ValueError as error:
        raise Unreadable(SkipReason.DAMAGED) from error
    inputs = (
        NamedArray(each.name, array, each.columns) for each, array in zip(head.inputs, arrays, strict=True)
    )
    return KeptSequence(tuple(inputs), head.events)


def _with_head(head: bytes, values: bytes) -> bytes:
    return _LENGTH.pack(len(head)) + head + values


def _read_head(adapter: TypeAdapter[Head], content: bytes) -> tuple[Head, int]:
    """Returns the part before the values, and where these start. Raises Unreadable."""
    try:
        offset = _LENGTH.size + _LENGTH.unpack_from(content)[0]
        return adapter.validate_json(content[_LENGTH.size : offset]), offset
    except (struct.error, ValidationError) as error:
        raise Unreadable(SkipReason.DAMAGED) from error


def _arrays(background: Background) -> Iterator[tuple[str, str, NDArray[np.generic]]]:
    for part in ("rows", "mean_event", "static"):
        for name, array in getattr(background, part).items():
            yield part, name, array
