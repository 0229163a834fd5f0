"""Casts to element types that hold less than what callers send: what does not fit is refused, never wrapped around."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.signature import InputSignature
from sequela.errors import DoesNotFit


def cast(values: NDArray[Any], seen: InputSignature) -> NDArray[Any]:
    """In the signature's element type. Raises DoesNotFit (VALUE_OUT_OF_RANGE) for a value that it does not hold."""
    if np.can_cast(values.dtype, seen.numpy_type):
        return np.ascontiguousarray(values, dtype=seen.numpy_type)
    with np.errstate(over="ignore", invalid="ignore"):
        made = np.ascontiguousarray(values.astype(seen.numpy_type))
    lost = np.isinf(made) & np.isfinite(values) if made.dtype.kind == "f" else made != values
    if lost.any():
        least, most = _range(made.dtype)
        text = f"input {seen.name!r} holds {seen.numpy_type}, from {least} to {most}: {values[lost][0]} does not fit"
        raise DoesNotFit("VALUE_OUT_OF_RANGE", text)
    return made


def _range(dtype: np.dtype[Any]) -> tuple[int | float, int | float]:
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return np.iinfo(dtype).min, np.iinfo(dtype).max
