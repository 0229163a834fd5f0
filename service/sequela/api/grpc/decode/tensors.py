"""Decodes the tensors of `sequela.v1` to arrays. Checks element type, shape and size, and that no value is infinite."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.violations import Violations, quote_value
from sequela.contract.enums import DTYPES
from sequela.explain.limits import Limits
from sequela.explain.request import NamedArray

Array = NDArray[Any]

ELEMENT_TYPES = {number: np.dtype(dtype.value).newbyteorder("<") for number, dtype in DTYPES.members.items()}
DEFAULT_TYPES: dict[str, np.dtype[Any]] = {"numbers": np.dtype("<f8"), "integers": np.dtype("<i8")}

"""The element type of each field of a tensor whose dtype is unset."""
MAX_AXES = 7
"""One axis of events and several axes of columns. A batch axis is never sent."""


def arrays(
    messages: Sequence[pb.InputTensor], path: str, violations: Violations, limits: Limits
) -> tuple[NamedArray, ...]:
    """Decodes the tensors of a repeated field at `path`. Invalid ones are violations and are omitted."""
    named = []
    for index, message in enumerate(messages):
        here = f"{path}[{index}]"
        name = violations.text(f"{here}.name", message.name, limits.max_text)
        array = _array(message.tensor, f"{here}.tensor", violations)
        columns = _columns(message.columns, array, f"{here}.columns", violations, limits)
        if array is not None:
            named.append(NamedArray(name, array, columns))
    return tuple(named)


def _columns(
    names: Sequence[str], array: Array | None, path: str, violations: Violations, limits: Limits
) -> tuple[str, ...]:
    """Returns the names of an array's columns. There must be none, or a different one for each column."""
    if not names or array is None:
        return ()
    width = array.shape[-1] if array.ndim else 1
    if len(names) != width:
        violations.add(
            path, "COLUMN_NAMES", f"{len(names)} names for {width} columns; send one name per column, or none"
        )
        return ()
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        violations.add(
            path,
            "COLUMN_NAMES",
            f"the name {quote_value(repeated[0])} occurs twice; column names must be unique, because columns are "
            "matched by name",
        )
        return ()
    return tuple(violations.text(f"{path}[{i}]", name, limits.max_text) for i, name in enumerate(names))


def _array(tensor: pb.Tensor, path: str, violations: Violations) -> Array | None:
    """Decodes an array. Returns None and adds a violation if it is invalid."""
    held = [field for field in ("raw", "numbers", "integers") if len(getattr(tensor, field))]
    if not held and 0 in tensor.shape:
        text = f"shape {tuple(tensor.shape)} has no elements; send at least one event"
        violations.add(path, "TENSOR_ELEMENTS", text)
        return None
    if len(held) != 1:
        what = " and ".join(held) or "none"
        violations.add(
            path,
            "TENSOR_ELEMENTS",
            f"exactly one of raw, numbers and integers must have elements, but {what} have",
        )
        return None
    dtype = _dtype(tensor, held[0], path, violations)
    shape = _shape(tensor, path, violations)
    if dtype is None or shape is None:
        return None
    if held[0] == "raw":
        flat = _from_raw(tensor.raw, dtype, math.prod(shape), path, violations)
    else:
        flat = _from_values(
            getattr(tensor, held[0]), dtype, math.prod(shape), f"{path}.{held[0]}", violations
        )
    return None if flat is None else _finite(flat.reshape(shape), path, violations)


def _dtype(tensor: pb.Tensor, held: str, path: str, violations: Violations) -> np.dtype[Any] | None:
    # Raw bytes have no default type, because any type would be a guess.
    if tensor.dtype == pb.DATA_TYPE_UNSPECIFIED and held in DEFAULT_TYPES:
        return DEFAULT_TYPES[held]
    if tensor.dtype not in ELEMENT_TYPES:
        text = f"must be one of {_allowed_types()} for {held}, not {tensor.dtype}"
        violations.add(f"{path}.dtype", "TENSOR_DTYPE", text)
    return ELEMENT_TYPES.get(tensor.dtype)


def _allowed_types() -> str:
    return ", ".join(f"{number} ({dtype.name})" for number, dtype in DTYPES.members.items())


def _shape(tensor: pb.Tensor, path: str, violations: Violations) -> tuple[int, ...] | None:
    shape = tuple(tensor.shape)
    if len(shape) > MAX_AXES:
        violations.add(
            f"{path}.shape",
            "TENSOR_SHAPE",
            f"{shape} has {len(shape)} axes, more than {MAX_AXES}: omit the batch axis (send x[0]), and send several "
            "sequences one by one, or their average as a background",
        )
        return None
    if any(axis < 1 for axis in shape):
        violations.add(f"{path}.shape", "TENSOR_SHAPE", f"must be at least 1 on every axis, not {shape}")
        return None
    return shape


def _from_raw(
    raw: bytes, dtype: np.dtype[Any], count: int, path: str, violations: Violations
) -> Array | None:
    if len(raw) != count * dtype.itemsize:
        text = f"has {len(raw)} bytes, but the shape needs {count} elements of {dtype.itemsize} bytes"
        violations.add(f"{path}.raw", "TENSOR_SIZE", text)
        return None
    # numpy would keep such a byte in a boolean array, where it equals neither True nor False.
    if dtype.kind == "b" and max(raw) > 1:
        violations.add(f"{path}.raw", "TENSOR_VALUE", "contains bytes other than 0 and 1 for bool")
        return None
    return np.frombuffer(raw, dtype)


def _from_values(
    values: Sequence[float], dtype: np.dtype[Any], count: int, path: str, violations: Violations
) -> Array | None:
    if len(values) != count:
        violations.add(path, "TENSOR_SIZE", f"has {len(values)} elements, but the shape needs {count}")
        return None
    given = np.array(values)
    # Numbers that do not fit are reported below, with their place.
    with np.errstate(invalid="ignore", over="ignore"):
        converted = given.astype(dtype)
        kept = converted == given
    if dtype.kind != "f" and not kept.all():
        at = int(np.argmin(kept))
        violations.add(path, "TENSOR_VALUE", f"{given[at]} at [{at}] is not a value of {dtype.name}")
        return None
    too_large = np.isinf(converted) & np.isfinite(given)
    if too_large.any():
        at = int(np.argmax(too_large))
        limit = np.finfo(dtype).max
        text = f"{given[at]} at [{at}] does not fit {dtype.name}, whose largest value is {limit:.5g}"
        violations.add(path.removesuffix(".numbers"), "TENSOR_NOT_FINITE", text)
        return None
    return converted


def _finite(array: Array, path: str, violations: Violations) -> Array | None:
    if array.dtype.kind != "f":
        return array
    bad = np.isinf(array)  # the model's schema decides later whether NaN is allowed
    if bad.any():
        place = tuple(int(axis) for axis in np.argwhere(bad)[0])
        where = f"{array[place]} at {list(place)}"
        violations.add(path, "TENSOR_NOT_FINITE", f"{where}; infinite values: {int(bad.sum())}")
        return None
    return array
