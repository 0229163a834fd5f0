"""Checks one array against one model input: element type, shape, finite values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explaining.schema import FeatureKind, InputSchema, ModelSchema


def converted(array: NDArray[Any], item: InputSchema, path: str) -> NDArray[Any]:
    """The array in the input's element type, where that keeps its meaning; raises InvalidInput otherwise.

    Floats convert into each other as long as they stay finite; integers and booleans convert into floats;
    whole floats and integers in range convert into integers.
    """
    wanted = np.dtype(item.dtype.value)
    if array.dtype == wanted:
        result = array
    elif wanted.kind == "f":
        with np.errstate(over="ignore"):
            result = array.astype(wanted)
    else:
        result = _whole(array, wanted, item, path)
    _finite(result, item, path)
    return result


def checked(
    array: NDArray[Any], shape: tuple[int | None, ...], expected: str, item: InputSchema, path: str
) -> NDArray[Any]:
    """The array itself, of the shape given (None: any length from 1); raises InvalidInput otherwise."""
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise InvalidInput.at(
            f"{path}.shape", "SHAPE_MISMATCH", f"{array.shape}, input {item.name!r} takes {expected}"
        )
    if array.size == 0:
        raise InvalidInput.at(
            f"{path}.shape", "NO_EVENTS", f"input {item.name!r} is empty; at least one event is needed"
        )
    return array


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
    _finite(array, item, path)
    if array.dtype.kind == "b":
        return array.astype(wanted)
    # One past the largest value is a power of two, which a float holds exactly; the largest value itself may not be.
    lowest, past = (0, 2) if wanted.kind == "b" else (np.iinfo(wanted).min, np.iinfo(wanted).max + 1)
    bad = (array != np.floor(array)) | (array < lowest) | (array >= past)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidInput.at(
            path,
            "DTYPE_MISMATCH",
            f"input {item.name!r} takes {wanted.name}; {array[place]} at {list(place)} does not convert",
        )
    return array.astype(wanted)


def _finite(array: NDArray[Any], item: InputSchema, path: str) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise InvalidInput.at(
            path,
            "TENSOR_NOT_FINITE",
            f"input {item.name!r} holds a value that is not finite, first at {place}",
        )
