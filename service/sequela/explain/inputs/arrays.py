"""Checks one array against one model input: element type, shape, finite values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.object_cache import kept_for_object
from sequela.explain.request import ArrayPath
from sequela.explain.schema import FeatureKind, InputSchema, ModelSchema


def convert_array(array: NDArray[Any], item: InputSchema, path: str) -> NDArray[Any]:
    """Converts an array to the input's element type if no value changes its meaning.

    Floats convert to other floats if they stay finite. Integers and booleans convert to floats. Floats that are whole
    numbers, and integers in range, convert to integers. All NaN bit patterns become the same NaN, which is accepted
    only if the input allows it.

    Raises:
        InvalidInput: A value does not convert.
    """
    _finite(array, item, path)
    wanted = np.dtype(item.dtype.value)
    if array.dtype == wanted:
        result = array
    elif wanted.kind == "f":
        # A number that is too large becomes infinite, and `_fits` reports it with its place.
        with np.errstate(over="ignore"):
            result = array.astype(wanted)
        _fits(array, result, item, path)
    else:
        result = _whole(array, wanted, item, path)
    missing = np.isnan(result) if wanted.kind == "f" and item.allow_nan else np.False_
    return np.where(missing, wanted.type(np.nan), result) if missing.any() else result


def check_shape(
    array: NDArray[Any], shape: tuple[int | None, ...], expected: str, item: InputSchema, path: ArrayPath
) -> NDArray[Any]:
    """Returns the array if it has this shape, where None means any length of at least 1; raises InvalidInput if not."""
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        text = f"has shape {array.shape}, but input {item.name!r} takes {expected}"
        text += f"{_suspicion(array, shape)}{path.shape_note}"
        raise InvalidInput.at(path.shape, "SHAPE_MISMATCH", text)
    if array.size == 0:
        raise InvalidInput.at(
            path.shape, "NO_EVENTS", f"input {item.name!r} is empty; at least one event is needed"
        )
    return array


def _suspicion(array: NDArray[Any], shape: tuple[int | None, ...]) -> str:
    """Returns what is probably wrong with an array of a different shape."""
    if array.ndim == 2 and len(shape) == 2 and array.shape[0] == shape[1]:
        return "; is it transposed? The first axis is events, the second is columns"
    if array.ndim == len(shape) + 1 and array.shape[0] == 1:
        return "; omit the batch axis, as in x[0]"
    if len(shape) == 1 and array.size == shape[0]:
        return "; send its values along one axis, as in x.ravel()"
    if array.ndim == len(shape) + 1:
        return "; are these several sequences? Send one sequence per request"
    if array.ndim == 1 and len(shape) == 2 and array.shape[0] == shape[1]:
        return "; is it a single event? Put it in a list"
    return ""


def check_categories(array: NDArray[Any], schema: ModelSchema, item: InputSchema, path: str) -> None:
    """Raises InvalidInput if an id is negative, or beyond the categories that the schema lists.

    A model would treat -1 as its last category, so an invalid id would be mistaken for a valid one.
    """
    ids = _id_columns(schema).get(item.name)
    if ids is None:
        return
    values = array[..., ids.columns]
    wrong = (values < 0) | (values >= ids.known)
    if not wrong.any():
        return
    # The first feature with a wrong id is named, and its first wrong id.
    place = int(wrong.reshape(-1, len(ids.columns)).any(axis=0).argmax())
    known, first = ids.known[place], values[..., place][wrong[..., place]].reshape(-1)[0]
    text = f"{first} is not an id of feature {ids.names[place]!r}; ids must be "
    if np.isinf(known):
        text += (
            'at least 0. If the column holds numbers, set the feature\'s "kind" to "numeric" in schema.json'
        )
    else:
        text += f"from 0 to {known - 1:.0f}"
    raise InvalidInput.at(path, "CATEGORY_UNKNOWN", text)


@dataclass(frozen=True, slots=True, eq=False)
class _IdColumns:
    """The columns of an input that contain ids of categories, the names of their features, and the numbers of ids."""

    columns: list[int]
    names: list[str]
    known: NDArray[np.float64]


@kept_for_object
def _id_columns(schema: ModelSchema) -> dict[str, _IdColumns]:
    """Returns the columns with ids by input, in the order of the features."""
    categorical = [feature for feature in schema.features if feature.kind is FeatureKind.CATEGORICAL]
    found = {}
    for name in {name for feature in categorical for name in feature.columns}:
        owners = [(column, feature) for feature in categorical for column in feature.columns.get(name, ())]
        known = [len(feature.categories) or np.inf for _, feature in owners]
        found[name] = _IdColumns(
            [column for column, _ in owners], [feature.name for _, feature in owners], np.array(known, float)
        )
    return found


def _whole(array: NDArray[Any], wanted: np.dtype[Any], item: InputSchema, path: str) -> NDArray[Any]:
    if array.dtype.kind == "b":
        return array.astype(wanted)
    # The largest value plus one is a power of two, which a float represents exactly, unlike the largest value itself.
    lowest, past = (0, 2) if wanted.kind == "b" else (np.iinfo(wanted).min, np.iinfo(wanted).max + 1)
    if array.dtype.kind == "f":
        _exact(array, wanted, item, path)
    bad = (array != np.floor(array)) | (array < lowest) | (array >= past)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidInput.at(
            path,
            "DTYPE_MISMATCH",
            f"input {item.name!r} takes {wanted.name}, but {array[place]} at {list(place)} cannot be converted to it",
        )
    return array.astype(wanted)


def _exact(array: NDArray[Any], wanted: np.dtype[Any], item: InputSchema, path: str) -> None:
    """Raises InvalidInput for floats so large that they may have been rounded from a different id."""
    # From this power of two on, the type skips whole numbers.
    largest = 2.0 ** (np.finfo(array.dtype).nmant + 1)
    beyond = np.isfinite(array) & (np.abs(array) >= largest)
    if wanted.kind == "i" and beyond.any():
        place = tuple(int(i) for i in np.argwhere(beyond)[0])
        text = (
            f"input {item.name!r} takes {wanted.name}, but {array[place]:.17g} at {list(place)} was sent as "
            f"{array.dtype.name}, which cannot represent every whole number above {largest:,.0f}; "
            f"send it as {wanted.name}"
        )
        raise InvalidInput.at(path, "DTYPE_MISMATCH", text)


def _fits(array: NDArray[Any], result: NDArray[Any], item: InputSchema, path: str) -> None:
    """Raises InvalidInput if a finite number became infinite."""
    over = np.isinf(result)
    if over.any():
        place = tuple(int(i) for i in np.argwhere(over)[0])
        largest = np.finfo(result.dtype).max
        text = f"input {item.name!r} takes {result.dtype.name}, up to {largest:.4g}"
        raise InvalidInput.at(
            path, "TENSOR_OUT_OF_RANGE", f"{text}, but {array[place]:g} at {list(place)} is larger"
        )


def _finite(array: NDArray[Any], item: InputSchema, path: str) -> None:
    if array.dtype.kind != "f":
        return
    bad = np.isinf(array) if item.allow_nan else ~np.isfinite(array)
    if not bad.any():
        return
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    text = f"input {item.name!r} contains {array[place]}, first at {list(place)}"
    if np.isnan(array[place]):
        text += (
            '. If the model takes NaN for a missing value, set "allow_nan": true for this input in the model\'s '
            "schema; "
            "otherwise fill in missing values in the same way as for training"
        )
    raise InvalidInput.at(path, "TENSOR_NOT_FINITE", text)
