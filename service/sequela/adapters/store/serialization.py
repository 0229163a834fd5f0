"""How backgrounds and explanations lie in a store. Nothing is ever unpickled, and bytes that are not ours, or
are damaged, decode to None.

A sealed value is a mark, a CRC-32 of the rest, a letter (`p` plain, `z` zlib) and the content.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from sequela.explain.background import Background
from sequela.explain.result.explanation import Explanation

_MARK = b"SQ1"
_CHECK = struct.Struct("<I")
_HEADER = struct.Struct("<I")
_COMPRESS_FROM = 1 << 10
_MAX_BYTES = 1 << 30
_DTYPES = ("<f4", "<f8", "<i4", "<i8", "|b1")

_explanations = TypeAdapter(Explanation)


def encode_explanation(explanation: Explanation) -> bytes:
    """JSON. A float is written so that it reads back as the same bits; infinity and NaN have their names."""
    return seal(to_json(explanation, inf_nan_mode="constants"))


def decode_explanation(data: bytes) -> Explanation | None:
    """The explanation, equal in every field, or None."""
    content = unseal(data)
    try:
        return None if content is None else _explanations.validate_json(content)
    except ValidationError:
        return None


def encode_background(background: Background) -> bytes:
    """A JSON header of (part, input, element type, shape), then the little-endian bytes in that order."""
    arrays = [(part, name, _portable(array)) for part, name, array in _arrays(background)]
    header = json.dumps([(part, name, array.dtype.str, array.shape) for part, name, array in arrays]).encode()
    return seal(_HEADER.pack(len(header)) + header + b"".join(array.tobytes() for _, _, array in arrays))


def decode_background(data: bytes) -> Background | None:
    """The background, with read-only arrays equal bit for bit, or None."""
    content = unseal(data)
    try:
        return None if content is None else _background(content)
    except (ValueError, TypeError, KeyError, struct.error):
        return None


def seal(content: bytes) -> bytes:
    """Marks and checks the content, and compresses it where that is worth it."""
    packed = b"z" + zlib.compress(content, 1) if len(content) >= _COMPRESS_FROM else b"p" + content
    return _MARK + _CHECK.pack(zlib.crc32(packed)) + packed


def unseal(data: bytes) -> bytes | None:
    """The content of sealed bytes; None where they are damaged, or not ours."""
    packed = data[len(_MARK) + _CHECK.size :]
    if data[: -len(packed) or None] != _MARK + _CHECK.pack(zlib.crc32(packed)):
        return None
    if packed[:1] != b"z":
        return packed[1:]
    try:
        return zlib.decompressobj().decompress(packed[1:], _MAX_BYTES)
    except zlib.error:
        return None


def _arrays(background: Background) -> Iterator[tuple[str, str, NDArray[Any]]]:
    for part in ("rows", "mean_event", "static"):
        for name, array in getattr(background, part).items():
            yield part, name, array


def _portable(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _background(content: bytes) -> Background:
    (length,) = _HEADER.unpack_from(content)
    place = _HEADER.size + length
    parts: dict[str, dict[str, NDArray[Any]]] = {"rows": {}, "mean_event": {}, "static": {}}
    for part, name, dtype, shape in json.loads(content[_HEADER.size : place]):
        if dtype not in _DTYPES:
            raise ValueError(dtype)
        count = int(np.prod(shape, dtype=np.int64))
        parts[part][name] = np.frombuffer(content, dtype, count, place).reshape(shape)
        place += parts[part][name].nbytes
    return Background(**parts)
