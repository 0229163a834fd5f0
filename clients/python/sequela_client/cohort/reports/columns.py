"""Converts columns of Tables to arrays and back. These Tables are small: one row for each group or feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sequela_client.cohort.reports.significance import Numbers
from sequela_client.extras import require


def numbers(table: Any, name: str) -> Numbers:
    """Returns a column as an array, with NaN for null."""
    return np.array([np.nan if each is None else each for each in table[name].to_pylist()], dtype=np.float64)


def with_numbers(table: Any, columns: Mapping[str, Numbers]) -> Any:
    """Returns the table with further columns. NaN becomes null."""
    arrow = require("pyarrow", extra="cohort")
    for name, values in columns.items():
        table = table.append_column(name, arrow.array(values, arrow.float64(), from_pandas=True))
    return table


def with_counts(table: Any, columns: Mapping[str, Numbers]) -> Any:
    """Returns the table with further columns of whole numbers. NaN becomes null."""
    arrow = require("pyarrow", extra="cohort")
    for name, values in columns.items():
        # Arrow takes None from objects only, and NaN cannot be converted to an integer.
        counts = [None if np.isnan(each) else int(each) for each in values]
        table = table.append_column(name, arrow.array(counts, arrow.int64()))
    return table
