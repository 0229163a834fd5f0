"""Converts the cells of a table to the inputs of a model: numbers, ids of categories, and missing values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.files import FileTable
from sequela_client.files.cells import is_missing, is_number
from sequela_client.model_inputs.categories import category_id
from sequela_client.model_inputs.columns import ColumnMatch, Source, name_list
from sequela_client.model_inputs.layout import Layout
from sequela_client.resources import ModelInput


def arrays(table: FileTable, layout: Layout, found: ColumnMatch) -> Mapping[str, NDArray[Any]]:
    """Returns the values of each input: (l, width) of events, (width) of a static input.

    Raises CallerError, which names the cell at fault.
    """
    return {
        item.name: (_static if item.role == "static" else _events)(table, item, found)
        for item in layout.inputs
    }


def _events(table: FileTable, item: ModelInput, found: ColumnMatch) -> NDArray[Any]:
    rows = [
        [_value(table, row, found.sources[item.name, at], item) for at in range(item.width)]
        for row in range(len(table.rows))
    ]
    return _array(rows, item)


def _static(table: FileTable, item: ModelInput, found: ColumnMatch) -> NDArray[Any]:
    """Returns the values of a static input, which are the same in every row."""
    for at in range(item.width):
        column = found.sources[item.name, at].column
        cells = [str(cell).strip() for cell in table.column(column)]
        # A static input has one value; rows that differ are a mistake in the file or in the schema.
        other = next((row for row, cell in enumerate(cells) if cell != cells[0]), None)
        if other is not None:
            raise table.refusal(
                f"{table.place(other, column)}: {cells[other]!r}, but {cells[0]!r} in the rows before; the static "
                f"input {item.name!r} must have one value for the whole sequence"
            )
    return _array([_value(table, 0, found.sources[item.name, at], item) for at in range(item.width)], item)


def _array(values: Any, item: ModelInput) -> NDArray[Any]:
    """Returns values as int64 if the model takes integers, since floats cannot hold every id; else as float64."""
    array = np.asarray(values, np.float64)
    if item.dtype in ("int32", "int64") and not np.isnan(array).any():
        flat = np.array(values, dtype=object).ravel()
        if all(isinstance(value, int) and -(2**63) <= value < 2**63 for value in flat):
            return np.array(values, np.int64)
    return array


def _value(table: FileTable, row: int, source: Source, item: ModelInput) -> float | int:
    cell = table.rows[row][source.column]
    feature = source.feature
    if source.words:
        return int(_category(table, row, source) == source.at)
    if feature.kind == "categorical" and feature.categories and isinstance(cell, str):
        return _category(table, row, source)
    if is_missing(cell):
        if not item.allow_nan:
            raise table.missing(row, source.column)
        return math.nan
    if feature.kind == "categorical" and not is_number(cell, table.decimal):
        raise table.refusal(
            f"{table.place(row, source.column)}: {cell!r} is not an id, and the schema names no categories of "
            f"{feature.name!r}; write ids, or add its categories to the schema"
        )
    return table.number(row, source.column)


def _category(table: FileTable, row: int, source: Source) -> int:
    """Returns the id of a category from its name or id. Raises CallerError if the cell is neither, or may be both."""
    feature = source.feature
    try:
        found = category_id(table.rows[row][source.column], feature.categories, source.words, table.decimal)
    except ValueError as error:
        raise table.refusal(f"{table.place(row, source.column)}: {error}") from None
    if found is None:
        names = name_list(feature.categories)
        raise table.missing(row, source.column, f"the categories of {feature.name!r} are {names}")
    return found
