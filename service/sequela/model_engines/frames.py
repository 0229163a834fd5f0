"""A head of JSON, followed by parts of bytes: the form of all that an engine and the server send to each other."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_COUNT = struct.Struct("<I")
MAX_PARTS = 100_000


class FormInvalid(ValueError):
    """The bytes do not have this form."""


def join_parts(*parts: bytes) -> bytes:
    """Returns parts as one piece of bytes."""
    sizes = (_COUNT.pack(len(part)) for part in parts)
    return b"".join((_COUNT.pack(len(parts)), *sizes, *parts))


def split_parts(content: bytes) -> Sequence[bytes]:
    """Returns the parts. Raises FormInvalid."""
    try:
        (count,) = _COUNT.unpack_from(content)
        start = _COUNT.size * (count + 1)
        if count > MAX_PARTS or start > len(content):
            raise FormInvalid(f"{count} parts in {len(content)} bytes")
        parts = []
        for (size,) in _COUNT.iter_unpack(content[_COUNT.size : start]):
            parts.append(content[start : start + size])
            start += size
    except struct.error as error:
        raise FormInvalid(str(error)) from None
    if start != len(content):
        raise FormInvalid(f"{len(content)} bytes where {start} were announced")
    return parts
