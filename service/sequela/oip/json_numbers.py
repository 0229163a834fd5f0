"""Converts nested or flat numbers in JSON to arrays. A missing value, which JSON writes as null, is NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.oip.datatypes import Datatype
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.tensors import check_integers

Array = NDArray[Any]


def json_array(values: Any) -> Array:
    """Converts a number, or nested lists of numbers and booleans, to an array of booleans, integers or float64.

    Null is NaN. Integers beyond 64 bits become float64.

    Raises:
        ValueError: The values are anything else: strings, objects, lists of different lengths, or integers too large
            for float64.
    """
    try:
        array = np.asarray(values)
        # None, and integers beyond 64 bits, make numpy fall back to objects.
        if array.dtype == object:
            array = np.array([_float(value) for value in array.flat], np.float64).reshape(array.shape)
    except (ValueError, OverflowError, TypeError):
        raise ValueError("it is not an array of numbers") from None
    if array.dtype.kind not in "biuf":
        raise ValueError("it is not an array of numbers")
    return array


def json_elements(values: Any, datatype: Datatype) -> Array:
    """Converts nested or flat JSON to the elements (size,) of a datatype, in row-major order.

    Float datatypes accept booleans as numbers, and BOOL accepts integers (0 is false). Numbers with a fraction are
    accepted by float datatypes only.

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
    # Convert through float64, as Python's numbers do. Directly from int64 to FP32 could round differently.
    wide = elements.astype(np.float64)
    limit = np.finfo(datatype.dtype).max
    too_large = np.isfinite(wide) & (np.abs(wide) > limit)
    if too_large.any():
        index = int(np.argmax(too_large))
        text = f"holds {wide[index]} at [{index}], but the largest {datatype.name} is {limit:.5g}"
        raise InvalidTensor("", "TENSOR_NOT_FINITE", text)
    return wide.astype(datatype.dtype)


def _integers(elements: Array, datatype: Datatype) -> Array:
    """Converts to booleans, or to integers of any width."""
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
    """Converts a number or null to a float. Raises ValueError and OverflowError."""
    if value is None:
        return np.nan
    if not isinstance(value, int | float):
        raise ValueError(value)
    return float(value)
