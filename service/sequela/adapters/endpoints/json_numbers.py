"""Numbers in JSON, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.oip import WrongAnswer


def numbers(values: Any, what: str) -> NDArray[np.float64]:
    """Nested lists of numbers and booleans as the array they are; null, as many write NaN, is NaN.

    Raises WrongAnswer for anything else; `what` names it.
    """
    try:
        array = np.asarray(values)
        if array.dtype == object:
            array = np.asarray([_number(value) for value in array.flat]).reshape(array.shape)
    except (ValueError, OverflowError, TypeError):
        raise WrongAnswer(f"{what} is not an array of numbers") from None
    if array.dtype.kind not in "biuf":
        raise WrongAnswer(f"{what} is not an array of numbers")
    return array.astype(np.float64)


def _number(value: Any) -> float:
    """Raises ValueError, OverflowError."""
    if value is None:
        return np.nan
    if not isinstance(value, int | float):
        raise ValueError(value)
    return float(value)
