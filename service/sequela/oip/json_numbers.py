"""Numbers in JSON, nested or flat, as arrays. A missing value, which JSON writes as null, is NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.oip.datatypes import Datatype
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.tensors import check_integers

Array = NDArray[Any]


def json_array(values: Any) -> Array:
    """A number, or nested lists of numbers and booleans, as an array of booleans, integers or float64.

    Null is NaN. Integers beyond 64 bits become float64.

    Raises:
        ValueError: For anything else: strings, objects, lists of different lengths, integers too large for float64.
    """
    try:
        array = np.asarray(values)
        if array.dtype == object:
            array = np.array([_float(value) for value in array.flat], np.float64).reshape(array.shape)
    except (ValueError, OverflowError, TypeError):
        raise ValueError("it is not an array of numbers") from None
    if array.dtype.kind not in "biuf":
        raise ValueError("it is not an array of numbers")
    return array


def json_elements(values: Any, datatype: Datatype) -> Array:
    """Nested or flat JSON as the elements (size,) of a datatype, in row-major order.

    Booleans are numbers to float datatypes, and integers are booleans (0 is false) to BOOL. Numbers with a fraction
    are neither integers nor booleans.

    Raises:
        InvalidTensor: TENSOR_VALUE (field `data`) for what is not an element of the datatype; TENSOR_NOT_FINITE (no
            field) for a finite number that would be infinite in the datatype.
    """
    try:
        elements = json_array(values).ravel()
    except ValueError as error:
        text = f"must hold elements of {datatype.name}, but {error}"
        raise InvalidTensor("data", "TENSOR_VALUE", text) from None
    if not elements.size:
        return np.empty(0, datatype.dtype)
    if datatype.is_float:
        return _floats(elements, datatype)
    # Above 63 bits numpy turns integers into floats if smaller ones are among them.
    return _integers(_exact(values, datatype) if elements.dtype.kind == "f" else elements, datatype)


def _floats(elements: Array, datatype: Datatype) -> Array:
    # By way of float64, as Python's numbers go; straight from int64 to FP32 could round the other way.
    wide = elements.astype(np.float64)
    limit = np.finfo(datatype.dtype).max
    too_large = np.isfinite(wide) & (np.abs(wide) > limit)
    if too_large.any():
        index = int(np.argmax(too_large))
        text = f"holds {wide[index]} at [{index}], but {datatype.name} ends at {limit:.5g}"
        raise InvalidTensor("", "TENSOR_NOT_FINITE", text)
    return wide.astype(datatype.dtype)


def _integers(elements: Array, datatype: Datatype) -> Array:
    """Booleans, and integers of every width."""
    if datatype.dtype.kind == "b":
        return elements.astype(datatype.dtype)
    if elements.dtype.kind == "b":
        raise InvalidTensor("data", "TENSOR_VALUE", f"must hold elements of {datatype.name}, not booleans")
    check_integers(elements, datatype, "data")
    return elements.astype(datatype.dtype)


def _exact(values: Any, datatype: Datatype) -> Array:
    """Converts Python integers without rounding. Raises InvalidTensor for values of other types."""
    elements = np.array(values, object).ravel()
    for index, value in enumerate(elements):
        if not isinstance(value, int):
            text = f"must hold elements of {datatype.name}, not {'null' if value is None else value} at [{index}]"
            raise InvalidTensor("data", "TENSOR_VALUE", text)
    return elements


def _float(value: Any) -> float:
    """Raises ValueError, OverflowError."""
    if value is None:
        return np.nan
    if not isinstance(value, int | float):
        raise ValueError(value)
    return float(value)
