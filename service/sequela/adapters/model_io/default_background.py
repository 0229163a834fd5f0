"""The background that a schema names as the model's default."""

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
    """None where it names none. Raises InvalidInput (SCHEMA_DOES_NOT_FIT) at `path`, where the schema stands."""
    if schema.background is None:
        return None
    try:
        inputs = tuple(NamedArray(name, _array(name, rows)) for name, rows in schema.background.items())
        return prepare_background(schema, GivenBackground(inputs), limits, "background")
    except InvalidInput as error:
        raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", error.message) from None


def _array(name: str, rows: Sequence[float] | Sequence[Sequence[float]]) -> NDArray[np.float64]:
    if len({len(row) for row in rows if isinstance(row, Sequence)}) > 1:
        raise InvalidInput.at("background", "SCHEMA_DOES_NOT_FIT", f"the rows of {name!r} differ in length")
    return np.array(rows, dtype=np.float64)
