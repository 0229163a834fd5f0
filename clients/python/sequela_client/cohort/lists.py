"""Handles columns of Arrow whose values are lists. Arrow has five types of lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sequela_client.errors import CallerError


def is_list(kind: Any) -> bool:
    """Returns whether a type of Arrow is one of its list types."""
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def flat_values(column: Any) -> Any:
    """Returns all values of a column of lists, one after the other; a column of plain values as it is."""
    return column.flatten() if is_list(column.type) else column


def check_list(batch: Any, name: str) -> None:
    """Raises CallerError if a column does not hold lists."""
    kind = batch.column(name).type
    if not is_list(kind):
        raise CallerError(
            f"the input, column {name!r}: holds one value ({kind}) in each row, but the model takes one for each "
            "event; write lists, or name the column that says which rows are one sequence (--entity)",
            reason="COLUMNS_DIFFER",
        )


def lengths_of(column: Any) -> NDArray[np.int64]:
    """Returns the length of each list; -1 for null, and 1 for plain values."""
    if not is_list(column.type):
        return np.ones(len(column), np.int64)
    return np.asarray(pc.fill_null(pc.list_value_length(column).cast(pa.int64()), -1))


def latest_texts(column: Any) -> list[str | None]:
    """Returns the value of each row as text; of a list, its last value."""
    if is_list(column.type):
        lengths = np.maximum(lengths_of(column), 0)
        ends = np.cumsum(lengths) - 1
        # An empty list has no last value; with the mask, it gives null.
        column = column.flatten().take(pa.array(ends, mask=lengths == 0))
    return [None if _is_missing(value) else _text(value) for value in column.to_pylist()]


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 NaN differs from itself


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
