"""Reads the background that a schema declares as the model's default."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sequela.errors import InvalidInput
from sequela.explain.background import Background
from sequela.explain.inputs.preparation import prepare_background
from sequela.explain.limits import Limits
from sequela.explain.request import GivenBackground, NamedArray
from sequela.explain.schema import ModelSchema


def default_background(schema: ModelSchema, limits: Limits, path: str) -> Background | None:
    """Returns the schema's background, checked like one that a caller sends, or None if it declares none.

    Args:
        schema: The complete schema.
        limits: The server's limits.
        path: The path of the schema in the request, for errors.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT.
    """
    if schema.background is None:
        return None
    try:
        inputs = tuple(NamedArray(name, _array(name, rows)) for name, rows in schema.background.items())
        return prepare_background(schema, GivenBackground(inputs), limits, "background")
    except InvalidInput as error:
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", error.message) from None


def _array(name: str, rows: Sequence[float] | Sequence[Sequence[float]]) -> NDArray[np.float64]:
    if len({len(row) for row in rows if isinstance(row, Sequence)}) > 1:
        text = f"the rows of {name!r} differ in length, but all need a value for each column"
        raise InvalidInput.at("background", "SCHEMA_DOES_NOT_FIT", text)
    # `prepare_background` checks later whether the values fit the input's own type.
    return np.array(rows, dtype=np.float64)
