"""Changes of messages by their structure, and of their bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from request_fuzz.values import (
    BYTES,
    COUNTS,
    FLOATS,
    HALF_SURROGATES,
    INT32,
    INT64,
    SPLICES,
    TEXTS,
    UINT32,
    UINT64,
    splice,
)

MAX_BYTES = 1 << 20
"""Repetition stops here, so that a case takes milliseconds. Larger messages than the limit have tests of their own."""
OWN_FIELDS = 0.8
"""How often one of the fields that are set is changed, instead of any field of the message."""
NESTED_GROUPS = 5_000


def change(message: Message, rng: random.Random) -> None:
    """Changes one field of a message, or of one inside it."""
    fields = [field for field, _ in message.ListFields()] if rng.random() < OWN_FIELDS else []
    fields = fields or list(message.DESCRIPTOR.fields)
    if not fields:
        return
    field: Any = rng.choice(fields)
    if rng.random() < 0.08:
        message.ClearField(field.name)
    elif field.message_type and field.message_type.GetOptions().map_entry:
        _change_map(getattr(message, field.name), field.message_type, rng)
    elif field.is_repeated:
        _change_list(message, field, rng)
    elif field.message_type:
        inner = getattr(message, field.name)
        inner.SetInParent()
        change(inner, rng)
    else:
        setattr(message, field.name, _scalar(field, rng))


def _change_list(message: Message, field: Any, rng: random.Random) -> None:
    items = getattr(message, field.name)
    place = rng.randrange(len(items)) if len(items) else -1
    what = rng.random()
    if place < 0 or what < 0.1:
        if field.message_type:
            change(items.add(), rng)
        else:
            items.append(_scalar(field, rng))
    elif what < 0.25:
        del items[place]
    elif what < 0.45:
        _repeat(message, items, place, rng)
    elif field.message_type:
        change(items[place], rng)
    else:
        items[place] = _scalar(field, rng)


def _repeat(message: Message, items: Any, place: int, rng: random.Random) -> None:
    item, count = items[place], rng.choice(COUNTS)
    size = max(item.ByteSize() if isinstance(item, Message) else len(str(item)), 1)
    items.extend([item] * min(count, (MAX_BYTES - min(message.ByteSize(), MAX_BYTES)) // size))


def _change_map(entries: Any, kind: Any, rng: random.Random) -> None:
    key_field, value_field = kind.fields_by_name["key"], kind.fields_by_name["value"]
    for _ in range(rng.choice((1, 1, 2, 65))):
        key = _scalar(key_field, rng)
        if value_field.message_type:
            change(entries[key], rng)
        else:
            entries[key] = _scalar(value_field, rng)


def _scalar(field: Any, rng: random.Random) -> Any:
    if field.enum_type:
        return rng.choice((0, 1, 2, 9, -1, 2**31 - 1))
    # Bytes have the same type in C++ as texts.
    return rng.choice(BYTES if field.type == field.TYPE_BYTES else _VALUES[field.cpp_type])


_VALUES: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_INT32: INT32,
    FieldDescriptor.CPPTYPE_INT64: INT64,
    FieldDescriptor.CPPTYPE_UINT32: UINT32,
    FieldDescriptor.CPPTYPE_UINT64: UINT64,
    FieldDescriptor.CPPTYPE_DOUBLE: FLOATS,
    FieldDescriptor.CPPTYPE_FLOAT: (0.0, 1.0, -1.0, 3e38, float("nan"), float("inf")),
    FieldDescriptor.CPPTYPE_BOOL: (True, False),
    FieldDescriptor.CPPTYPE_STRING: TEXTS,
}


def damage(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """Damages the bytes of a message. `other` are those of another one."""
    return rng.choice(_DAMAGES)(content, other, rng)


def _cut(content: bytes, _: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _append(content: bytes, other: bytes, rng: random.Random) -> bytes:
    return content + (other if rng.random() < 0.5 else content)


def _flip(content: bytes, _: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _flipped in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(changed)


def _splice(content: bytes, _: bytes, rng: random.Random) -> bytes:
    return splice(content, rng.choice(SPLICES), rng)


def _halve_text(content: bytes, _: bytes, rng: random.Random) -> bytes:
    """Writes half a surrogate over three letters, so that the message stays one."""
    places = [at for at in range(len(content) - 2) if content[at : at + 3].isalnum()]
    if not places:
        return content
    place = rng.choice(places)
    return content[:place] + rng.choice(HALF_SURROGATES) + content[place + 3 :]


def _insert(content: bytes, _: bytes, rng: random.Random) -> bytes:
    """Adds a field that is unknown, endless, too long, or of the wrong type."""
    number = rng.choice((1, 2, 3, 4, 15, 1_000))
    tag = _varint(number << 3 | rng.randrange(8))
    tail = rng.choice(
        (
            b"",
            b"\xff" * 9 + b"\x01",  # 2^64 - 1
            b"\xff" * 12,  # a varint without an end
            _varint(2**31 - 1) + b"x",  # a length beyond the end
            _varint(3) + b"abc",
            bytes(8),
            b"\x0b" * NESTED_GROUPS,
        )
    )
    return content + tag + tail if rng.random() < 0.5 else tag + tail + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


Damage = Callable[[bytes, bytes, random.Random], bytes]
_DAMAGES: tuple[Damage, ...] = (_cut, _append, _flip, _splice, _halve_text, _insert)
