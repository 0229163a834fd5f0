"""Checks one array against one model input: element type, shape, finite values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.request import ArrayPath
from sequela.explain.schema import FeatureKind, InputSchema, ModelSchema


def converted(array: NDArray[Any], item: InputSchema, path: str) -> NDArray[Any]:
    """The array in the input's element type, where that keeps its meaning; raises InvalidInput otherwise.

    Floats convert into each other as long as they stay finite; integers and booleans convert into floats;
    whole floats and integers in range convert into integers. NaN is one value, whatever its bits, and taken only where
    the input allows it.
    """
    _finite(array, item, path)
    wanted = np.dtype(item.dtype.value)
    if array.dtype == wanted:
        result = array
    elif wanted.kind == "f":
        with np.errstate(over="ignore"):
            result = array.astype(wanted)
        _fits(array, result, item, path)
    else:
        result = _whole(array, wanted, item, path)
    missing = np.isnan(result) if wanted.kind == "f" and item.allow_nan else np.False_
    return np.where(missing, wanted.type(np.nan), result) if missing.any() else result


def checked(
    array: NDArray[Any], shape: tuple[int | None, ...], expected: str, item: InputSchema, path: ArrayPath
) -> NDArray[Any]:
    """The array itself, of the shape given (None: any length from 1); raises InvalidInput otherwise."""
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        text = (
            f"{array.shape}, input {item.name!r} takes {expected}{_suspicion(array, shape)}{path.shape_note}"
        )
        raise InvalidInput.at(path.shape, "SHAPE_MISMATCH", text)
    if array.size == 0:
        raise InvalidInput.at(
            path.shape, "NO_EVENTS", f"input {item.name!r} is empty; at least one event is needed"
        )
    return array


def _suspicion(array: NDArray[Any], shape: tuple[int | None, ...]) -> str:
    """What is likely to be wrong with an array of another shape."""
    if array.ndim == 2 and len(shape) == 2 and array.shape[0] == shape[1]:
        return ": transposed? Events come first, then columns"
    if array.ndim == len(shape) + 1 and array.shape[0] == 1:
        return ": leave out the batch axis, as in x[0]"
    if len(shape) == 1 and array.size == shape[0]:
        return ": send its values along one axis, as in x.ravel()"
    if array.ndim == len(shape) + 1:
        return ": several sequences? One is explained at a time"
    if array.ndim == 1 and len(shape) == 2 and array.shape[0] == shape[1]:
        return ": a single event? Put it into a list"
    return ""


def check_categories(array: NDArray[Any], schema: ModelSchema, item: InputSchema, path: str) -> None:
    """Ids must not be negative, nor past the categories the schema lists; raises InvalidInput otherwise.

    A model would take -1 for its last category, so that a wrong id would look like another one.
    """
    for feature in schema.features:
        if feature.kind is not FeatureKind.CATEGORICAL:
            continue
        known = len(feature.categories) or np.inf
        for column in feature.columns.get(item.name, ()):
            ids = np.atleast_1d(array[..., column])
            wrong = ids[(ids < 0) | (ids >= known)]
            if len(wrong):
                limit = "at least 0" if np.isinf(known) else f"from 0 to {known - 1}"
                raise InvalidInput.at(
                    path,
                    "CATEGORY_UNKNOWN",
                    f"{wrong[0]} is no id of feature {feature.name!r}; they are {limit}",
                )


def _whole(array: NDArray[Any], wanted: np.dtype[Any], item: InputSchema, path: str) -> NDArray[Any]:
    if array.dtype.kind == "b":
        return array.astype(wanted)
    # One past the largest value is a power of two, which a float holds exactly; the largest value itself may not be.
    lowest, past = (0, 2) if wanted.kind == "b" else (np.iinfo(wanted).min, np.iinfo(wanted).max + 1)
    if array.dtype.kind == "f":
        _exact(array, wanted, item, path)
    bad = (array != np.floor(array)) | (array < lowest) | (array >= past)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidInput.at(
            path,
            "DTYPE_MISMATCH",
            f"input {item.name!r} takes {wanted.name}; {array[place]} at {list(place)} does not convert",
        )
    return array.astype(wanted)


def _exact(array: NDArray[Any], wanted: np.dtype[Any], item: InputSchema, path: str) -> None:
    """A float from which the next whole number cannot be told may stand for another id."""
    largest = 2.0 ** (np.finfo(array.dtype).nmant + 1)
    beyond = np.isfinite(array) & (np.abs(array) >= largest)
    if wanted.kind == "i" and beyond.any():
        place = tuple(int(i) for i in np.argwhere(beyond)[0])
        text = (
            f"input {item.name!r} takes {wanted.name}; {array[place]:.17g} at {list(place)} was sent as "
            f"{array.dtype.name}, which does not hold every whole number from {largest:,.0f} on: "
            f"send it as {wanted.name}"
        )
        raise InvalidInput.at(path, "DTYPE_MISMATCH", text)


def _fits(array: NDArray[Any], result: NDArray[Any], item: InputSchema, path: str) -> None:
    """A finite number must not become infinite."""
    over = np.isinf(result)
    if over.any():
        place = tuple(int(i) for i in np.argwhere(over)[0])
        largest = np.finfo(result.dtype).max
        text = f"input {item.name!r} takes {result.dtype.name}, up to {largest:.4g}"
        raise InvalidInput.at(
            path, "TENSOR_OUT_OF_RANGE", f"{text}; {array[place]:g} at {list(place)} does not fit"
        )


def _finite(array: NDArray[Any], item: InputSchema, path: str) -> None:
    if array.dtype.kind != "f":
        return
    bad = np.isinf(array) if item.allow_nan else ~np.isfinite(array)
    if not bad.any():
        return
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    text = f"input {item.name!r} holds {array[place]}, first at {list(place)}"
    if np.isnan(array[place]):
        text += (
            '. If NaN means "missing" to the model, set "allow_nan": true for this input in the model\'s schema; '
            "else fill in what is missing as it was filled in when the model was trained"
        )
    raise InvalidInput.at(path, "TENSOR_NOT_FINITE", text)
