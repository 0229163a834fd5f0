"""Tensors of `sequela.v1` as arrays: element type, shape, number of elements, and that no value is infinite."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.enums import DTYPES
from sequela.api.violations import Violations, shown
from sequela.explain.limits import Limits
from sequela.explain.request import NamedArray

Array = NDArray[Any]

ELEMENT_TYPES = {number: np.dtype(dtype.value).newbyteorder("<") for number, dtype in DTYPES.members.items()}
DEFAULT_TYPES: dict[str, np.dtype[Any]] = {"numbers": np.dtype("<f8"), "integers": np.dtype("<i8")}

"""The element type of each field of a tensor whose dtype is unset."""
MAX_AXES = 7
"""Events and columns, where columns may have several axes. A batch axis is never sent."""


def arrays(
    messages: Sequence[pb.InputTensor], path: str, violations: Violations, limits: Limits
) -> tuple[NamedArray, ...]:
    """The tensors of a repeated field at `path`; those that are wrong are noted and left out."""
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
    """The names of an array's columns: none, or one for each, all different."""
    if not names or array is None:
        return ()
    width = array.shape[-1] if array.ndim else 1
    if len(names) != width:
        violations.add(
            path, "COLUMN_NAMES", f"{len(names)} names for {width} columns; send none, or one for each"
        )
        return ()
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        violations.add(
            path, "COLUMN_NAMES", f"{shown(repeated[0])} is given twice; columns are matched by name"
        )
        return ()
    return tuple(violations.text(f"{path}[{i}]", name, limits.max_text) for i, name in enumerate(names))


def _array(tensor: pb.Tensor, path: str, violations: Violations) -> Array | None:
    """The array, or None after noting what is wrong with it."""
    held = [field for field in ("raw", "numbers", "integers") if len(getattr(tensor, field))]
    if not held and 0 in tensor.shape:
        text = f"shape {tuple(tensor.shape)} holds no elements; send at least one event"
        violations.add(path, "TENSOR_ELEMENTS", text)
        return None
    if len(held) != 1:
        what = " and ".join(held) or "none"
        violations.add(
            path, "TENSOR_ELEMENTS", f"exactly one of raw, numbers and integers must hold elements, {what} do"
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
    if tensor.dtype == pb.DATA_TYPE_UNSPECIFIED and held in DEFAULT_TYPES:
        return DEFAULT_TYPES[held]
    if tensor.dtype not in ELEMENT_TYPES:
        text = f"{tensor.dtype} is not an element type for {held}; it must be one of {_allowed()}"
        violations.add(f"{path}.dtype", "TENSOR_DTYPE", text)
    return ELEMENT_TYPES.get(tensor.dtype)


def _allowed() -> str:
    return ", ".join(f"{number} ({dtype.name})" for number, dtype in DTYPES.members.items())


def _shape(tensor: pb.Tensor, path: str, violations: Violations) -> tuple[int, ...] | None:
    shape = tuple(tensor.shape)
    if len(shape) > MAX_AXES:
        violations.add(
            f"{path}.shape",
            "TENSOR_SHAPE",
            f"{shape} has {len(shape)} axes, the limit is {MAX_AXES}: leave out the batch axis (send x[0]); of several "
            "sequences send one at a time, or their average as a background",
        )
        return None
    if any(axis < 1 for axis in shape):
        violations.add(f"{path}.shape", "TENSOR_SHAPE", f"{shape}: every axis must be at least 1")
        return None
    return shape


def _from_raw(
    raw: bytes, dtype: np.dtype[Any], count: int, path: str, violations: Violations
) -> Array | None:
    if len(raw) != count * dtype.itemsize:
        text = f"{len(raw)} bytes, the shape takes {count} elements of {dtype.itemsize} bytes"
        violations.add(f"{path}.raw", "TENSOR_SIZE", text)
        return None
    if dtype.kind == "b" and max(raw) > 1:
        violations.add(f"{path}.raw", "TENSOR_VALUE", "holds bytes other than 0 and 1 for bool")
        return None
    return np.frombuffer(raw, dtype)


def _from_values(
    values: Sequence[float], dtype: np.dtype[Any], count: int, path: str, violations: Violations
) -> Array | None:
    if len(values) != count:
        violations.add(path, "TENSOR_SIZE", f"{len(values)} elements, the shape takes {count}")
        return None
    given = np.array(values)
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
        text = f"{given[at]} at [{at}] does not fit {dtype.name}, which ends at {limit:.5g}"
        violations.add(path.removesuffix(".numbers"), "TENSOR_NOT_FINITE", text)
        return None
    return converted


def _finite(array: Array, path: str, violations: Violations) -> Array | None:
    if array.dtype.kind != "f":
        return array
    bad = np.isinf(array)  # whether NaN is a value, the model's schema says
    if bad.any():
        place = tuple(int(axis) for axis in np.argwhere(bad)[0])
        where = f"{array[place]} at {list(place)}"
        violations.add(path, "TENSOR_NOT_FINITE", f"{where}; infinite values: {int(bad.sum())}")
        return None
    return array
