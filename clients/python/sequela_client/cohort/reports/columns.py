"""Columns of Tables as arrays, and arrays as columns. Tables here have a row for each group, not for each sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sequela_client.cohort.reports.significance import Numbers
from sequela_client.extras import require


def numbers(table: Any, name: str) -> Numbers:
    """A column as an array; NaN for null."""
    return np.array([np.nan if each is None else each for each in table[name].to_pylist()], dtype=np.float64)


def with_numbers(table: Any, columns: Mapping[str, Numbers]) -> Any:
    """The table with further columns; NaN becomes null."""
    arrow = require("pyarrow", extra="cohort")
    for name, values in columns.items():
        table = table.append_column(name, arrow.array(values, arrow.float64(), from_pandas=True))
    return table


def with_counts(table: Any, columns: Mapping[str, Numbers]) -> Any:
    """The table with further columns of whole numbers; NaN becomes null."""
    arrow = require("pyarrow", extra="cohort")
    for name, values in columns.items():
        # From objects, since a float that is NaN has no integer.
        counts = [None if np.isnan(each) else int(each) for each in values]
        table = table.append_column(name, arrow.array(counts, arrow.int64()))
    return table
