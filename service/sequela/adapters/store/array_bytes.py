"""Arrays as bytes: the element type and shape of each, as plain values, and its elements, little-endian."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPES = ("<f4", "<f8", "<i4", "<i8", "|b1")
"""numpy would also accept types such as object, whose bytes are pointers."""


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """The element type of an array, such as `<f4`, and its shape."""

    dtype: str
    shape: tuple[int, ...]


def little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """Returns the array with little-endian elements in row-major order, of one of the types that are stored."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
    if plain.dtype.str in _DTYPES:
        return plain
    # Smaller numbers fit the largest type of their kind; an unsigned 64-bit integer need not.
    return plain.astype("<i8" if np.can_cast(plain.dtype, np.int64) else "<f8")


def form_of(array: NDArray[Any]) -> ArrayForm:
    """Returns the form of a little-endian array."""
    return ArrayForm(array.dtype.str, array.shape)


def join(arrays: Iterable[NDArray[Any]]) -> bytes:
    """Returns the elements of little-endian arrays, one array after the other."""
    return b"".join(array.tobytes() for array in arrays)


def split(content: bytes, offset: int, forms: Sequence[ArrayForm]) -> Iterator[NDArray[Any]]:
    """Yields read-only arrays of these forms, whose elements start at `offset`. Raises ValueError if they don't fit."""
    for form in forms:
        if form.dtype not in _DTYPES or any(axis < 0 for axis in form.shape):
            raise ValueError(form)
        count = int(np.prod(form.shape, dtype=np.int64))
        array = np.frombuffer(content, form.dtype, count, offset).reshape(form.shape)
        offset += array.nbytes
        yield array
