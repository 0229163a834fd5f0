"""Converts anything that holds numbers to a numpy array in one of the contract's element types.

It takes numpy arrays of any kind, nested lists, tensors of torch and similar libraries (with gradients, on a GPU, in
bfloat16), numbers as text, booleans among floats, and None for a missing value. Masked values, complex numbers, times
and words are refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.errors import CallerError

FLOAT = np.dtype("<f8")
# The contract's element types.
PLAIN = tuple(map(np.dtype, ("<f4", "<f8", "<i4", "<i8", "?")))
# Element types to which others are converted; the first that holds all their values is taken.
WIDER = (np.dtype("<i8"), np.dtype("<f4"))

REAL = (bool, int, float, Decimal, Fraction, np.integer, np.floating, np.bool_)

_LARGEST = np.iinfo(np.int64).max
_WHOLE = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MISSING = frozenset({"", "nan", "NaN", "null", "None", "NA", "N/A"})
_LONGEST_SHOWN = 40


def not_an_array(where: str, text: str) -> CallerError:
    """Returns the error for values that are not an array of numbers. `where` names them; empty means the sequence."""
    return CallerError(f"{where or 'the sequence'}: {text}", reason="NOT_AN_ARRAY")


def numbers(where: str, values: Any) -> NDArray[Any]:
    """Converts values to an array.

    Args:
        where: names the values in errors; empty means the sequence.
        values: anything that holds numbers.

    Returns:
        A little-endian array of float32, float64, int32, int64 or bool, of the same shape; missing values are NaN.

    Raises:
        CallerError: NOT_AN_ARRAY, naming the first value that is wrong.
    """
    if isinstance(values, str | os.PathLike):
        raise not_an_array(where, f"{str(values)!r:.40} is text; read the file first, as in numpy.load(path)")
    # numpy would silently take the values below the mask.
    if np.ma.isMaskedArray(values):
        values = _unmasked(where, values)
    array = _array(where, _detached(where, values))
    dtype = array.dtype.newbyteorder("<")
    if dtype in PLAIN:
        return array.astype(dtype, copy=False)
    if dtype.kind in "OUST":
        return from_items(where, array.ravel().tolist()).reshape(array.shape)
    return _converted(where, array)


def from_items(where: str, items: Iterable[Any]) -> NDArray[Any]:
    """Converts items to bool or int64 if all of them fit, else to float64. Raises CallerError as `numbers` does."""
    held = list(items)
    if held and all(isinstance(item, bool | np.bool_) for item in held):
        return np.array(held, dtype=bool)
    values = [_number(where, place, item) for place, item in enumerate(held)]
    # One value that is not whole makes all of them floats, as in numpy.
    whole = all(isinstance(value, int) and abs(value) <= _LARGEST for value in values)
    return np.array(values, dtype="<i8" if held and whole else FLOAT)


def is_number(text: str) -> bool:
    """Returns whether a text is a number such as 1.5 or -2e-3, without thousands separators and decimal commas."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_missing(item: Any) -> bool:
    """Returns whether an item stands for a missing value: None, NaN, pandas' NA and NaT, or an empty text."""
    if item is None or (isinstance(item, str) and item.strip() in _MISSING):
        return True
    if isinstance(item, float | np.floating):
        return bool(np.isnan(item))
    return type(item).__name__ in ("NAType", "NaTType")


def _number(where: str, place: int, item: Any) -> float | int:
    """Returns one number. Whole numbers stay integers, since float64 cannot hold every id of 64 bits."""
    if is_missing(item):
        return float("nan")
    if isinstance(item, str | bytes):
        text = item.decode(errors="replace") if isinstance(item, bytes) else item
        if is_number(text):
            return int(text) if _WHOLE.fullmatch(text.strip()) else float(text)
    elif isinstance(item, REAL):
        try:
            value = float(item)
        except OverflowError:
            raise not_an_array(where, f"value {place} is larger than any float64") from None
        exact = value.is_integer() and not isinstance(item, float | np.floating)
        return int(item) if exact else value
    shown = repr(item)
    shown = shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
    seconds = "; send seconds, as in .dt.total_seconds()" if hasattr(item, "total_seconds") else ""
    raise not_an_array(where, f"value {place} is {shown}, a {type(item).__name__}, not a number{seconds}")


def _unmasked(where: str, values: Any) -> Any:
    if np.ma.is_masked(values):
        count = int(np.ma.getmaskarray(values).sum())
        text = (
            f"{count} of {values.size} values of the array are masked; fill them (array.filled(...)), "
            "leave the events out, or mark padding by the model's mask input"
        )
        raise not_an_array(where, text)
    return values.data


def _detached(where: str, values: Any) -> Any:
    """Replaces tensors, also those in lists, by tensors that numpy can read: on the CPU, without gradients."""
    if isinstance(values, list | tuple):
        inner = values[0] if values else None
        # Only the first item is looked at: lists of numbers are long.
        lists = isinstance(inner, list | tuple) or hasattr(inner, "detach")
        return [_detached(where, value) for value in values] if lists else values
    if not (hasattr(values, "detach") and hasattr(values, "cpu")):
        return values
    try:
        return _plain(values.detach().cpu())
    except Exception as error:  # a tensor without data, such as one on the device "meta", may raise anything
        raise not_an_array(where, f"a tensor whose values cannot be read: {error}") from error


def _plain(tensor: Any) -> Any:
    """Converts a tensor to a dense one of an element type that numpy has."""
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided":
        tensor = tensor.to_dense()
    if hasattr(tensor, "resolve_neg"):
        tensor = tensor.resolve_conj().resolve_neg()
    return tensor.float() if re.match(r"torch\.(bfloat16|float8)", str(tensor.dtype)) else tensor


def _array(where: str, values: Any) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except Exception as error:  # objects convert themselves to arrays, and may raise anything
        ragged = "inhomogeneous" in str(error)
        text = "its rows differ in length" if ragged else f"not an array: {error}"
        raise not_an_array(where, text) from error
    if array.dtype.kind == "O" and array.ndim == 0:
        raise not_an_array(where, f"a {type(values).__name__} is not an array of numbers{_way_out(values)}")
    return array


def _way_out(values: Any) -> str:
    """Returns advice on what to pass instead of an object that is not an array."""
    for method in ("collect", "toarray"):
        if callable(getattr(values, method, None)):
            return f"; send what .{method}() gives"
    if isinstance(getattr(values, "name", None), str):
        return "; pass its .name"
    return "; write list(...)" if isinstance(values, Iterator) else ""


def _converted(where: str, array: NDArray[Any]) -> NDArray[Any]:
    dtype = array.dtype
    for wider in WIDER:
        if np.can_cast(dtype, wider):
            return array.astype(wider)
    if dtype.kind == "u" and (not array.size or int(array.max()) <= np.iinfo(np.int64).max):
        return array.astype("<i8")
    if dtype == np.longdouble:
        return array.astype(FLOAT)
    if dtype.kind == "V" and dtype.names is None and re.match(r"b?float\d", dtype.name):
        return array.astype("<f4")  # float32 holds all values of ml_dtypes' bfloat16 and float8
    what = {"M": "times", "m": "time differences", "c": "complex numbers", "u": "integers beyond 2^63 - 1"}
    raise not_an_array(
        where, f"an array of {dtype}, {what.get(dtype.kind, 'not numbers')}, which no model takes"
    )
