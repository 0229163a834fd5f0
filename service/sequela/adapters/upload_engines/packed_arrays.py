"""Arrays as bytes, for a connection whose other side is not trusted. Nothing is unpickled."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("<f2", "<f4", "<f8", "<i4", "<i8", "|b1")
_LENGTH = struct.Struct("<I")


def pack_arrays(arrays: Sequence[NDArray[Any]]) -> bytes:
    """Returns a JSON list of (element type, shape), preceded by its length, and the arrays' bytes."""
    plain = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    header = json.dumps([(array.dtype.str, array.shape) for array in plain]).encode()
    return b"".join((_LENGTH.pack(len(header)), header, *(array.tobytes() for array in plain)))


def unpack_arrays(content: bytes) -> tuple[NDArray[Any], ...]:
    """Returns the arrays, which are read-only.

    Raises:
        ValueError: The bytes are not arrays of known element types, or more or fewer than the header says.
    """
    try:
        (length,) = _LENGTH.unpack_from(content)
        start = _LENGTH.size + length
        arrays = []
        for dtype, shape in json.loads(content[_LENGTH.size : start]):
            array = _array(content, start, dtype, shape)
            start += array.nbytes
            arrays.append(array)
    except (struct.error, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from None
    if start != len(content):
        raise ValueError(f"{len(content)} bytes where {start} were announced")
    return tuple(arrays)


def _array(content: bytes, start: int, dtype: Any, shape: Any) -> NDArray[Any]:
    # numpy would also accept types such as object, whose bytes are pointers.
    if dtype not in DTYPES or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"an array of type {str(dtype)[:20]!r} and shape {str(shape)[:80]}")
    count = math.prod(shape)
    if count * np.dtype(dtype).itemsize > len(content) - start:
        raise ValueError(f"an array of {count} elements in {len(content) - start} bytes")
    return np.frombuffer(content, dtype, count, start).reshape(shape)
