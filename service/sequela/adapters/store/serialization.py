"""The format of backgrounds and explanations in a store.

Nothing is ever unpickled. Bytes that are damaged, or that another program wrote, decode to None.

A sealed value consists of a magic number, the CRC-32 of the rest, one letter (`p` for plain, `z` for zlib) and the
content.
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
from sequela.explain.explanation import Explanation

_MAGIC = b"SQ1"
_CRC = struct.Struct("<I")
_HEADER = struct.Struct("<I")
_COMPRESS_FROM_BYTES = 1 << 10
_MAX_CONTENT_BYTES = 1 << 30  # so that damaged bytes cannot decompress without end
_DTYPES = ("<f4", "<f8", "<i4", "<i8", "|b1")

_explanations = TypeAdapter(Explanation)


def encode_explanation(explanation: Explanation) -> bytes:
    """Returns sealed JSON. Floats are written so that they read back bit for bit; infinity and NaN by name."""
    return seal(to_json(explanation, inf_nan_mode="constants"))


def decode_explanation(data: bytes) -> Explanation | None:
    """Returns the explanation, equal in every field, or None if the bytes are not one."""
    content = unseal(data)
    try:
        return None if content is None else _explanations.validate_json(content)
    except ValidationError:
        return None


def encode_background(background: Background) -> bytes:
    """Returns the sealed arrays: a JSON header of (part, input, element type, shape), then little-endian bytes."""
    arrays = [(part, name, _little_endian(array)) for part, name, array in _arrays(background)]
    header = json.dumps([(part, name, array.dtype.str, array.shape) for part, name, array in arrays]).encode()
    return seal(_HEADER.pack(len(header)) + header + b"".join(array.tobytes() for _, _, array in arrays))


def decode_background(data: bytes) -> Background | None:
    """Returns the background, with read-only arrays that are equal bit for bit, or None if the bytes are not one."""
    content = unseal(data)
    try:
        return None if content is None else _read_background(content)
    except (ValueError, TypeError, KeyError, struct.error):
        return None


def seal(content: bytes) -> bytes:
    """Adds the magic number and the checksum, and compresses content of a kilobyte or more."""
    # Level 1 takes a fraction of the time of the default, for slightly larger values.
    packed = b"z" + zlib.compress(content, 1) if len(content) >= _COMPRESS_FROM_BYTES else b"p" + content
    return _MAGIC + _CRC.pack(zlib.crc32(packed)) + packed


def unseal(data: bytes) -> bytes | None:
    """Returns the content of sealed bytes, or None if they are damaged or foreign."""
    packed = data[len(_MAGIC) + _CRC.size :]
    if data[: -len(packed) or None] != _MAGIC + _CRC.pack(zlib.crc32(packed)):
        return None
    if packed[:1] != b"z":
        return packed[1:]
    try:
        return zlib.decompressobj().decompress(packed[1:], _MAX_CONTENT_BYTES)
    except zlib.error:
        return None


def _arrays(background: Background) -> Iterator[tuple[str, str, NDArray[Any]]]:
    for part in ("rows", "mean_event", "static"):
        for name, array in getattr(background, part).items():
            yield part, name, array


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _read_background(content: bytes) -> Background:
    (length,) = _HEADER.unpack_from(content)
    offset = _HEADER.size + length
    parts: dict[str, dict[str, NDArray[Any]]] = {"rows": {}, "mean_event": {}, "static": {}}
    for part, name, dtype, shape in json.loads(content[_HEADER.size : offset]):
        # numpy would also accept types such as object, whose bytes are pointers.
        if dtype not in _DTYPES:
            raise ValueError(dtype)
        count = int(np.prod(shape, dtype=np.int64))
        parts[part][name] = np.frombuffer(content, dtype, count, offset).reshape(shape)
        offset += parts[part][name].nbytes
    return Background(**parts)
