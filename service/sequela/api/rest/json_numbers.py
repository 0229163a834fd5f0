"""Numbers in JSON as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_array(values: Any) -> NDArray[Any]:
    """Nested lists as an array; null among numbers is NaN. Raises ValueError for lists of different lengths, and
    OverflowError.
    """
    array = np.asarray(values)
    flat = array.ravel().tolist() if array.dtype == object else []
    if None not in flat or not all(item is None or isinstance(item, int | float) for item in flat):
        return array
    return np.array([np.nan if item is None else float(item) for item in flat]).reshape(array.shape)
