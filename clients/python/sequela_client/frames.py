"""Explanations as tables of Arrow and pandas, with the columns of the CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sequela_client.attribution_rows import COLUMNS, ColumnType, Row, Value, rows
from sequela_client.errors import CallerError
from sequela_client.explanation_record import ExplanationRecord
from sequela_client.extras import require

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Columns of pandas that tell a missing value from 0, False and an empty text.
_PANDAS = {
    ColumnType.TEXT: "string",
    ColumnType.INTEGER: "Int64",
    ColumnType.NUMBER: "float64",
    ColumnType.FLAG: "boolean",
    ColumnType.TIME: "datetime64[us, UTC]",
}


def to_arrow(explanation: ExplanationRecord) -> pa.Table:
    """A row for each attribution and target. It needs pyarrow."""
    pa = require("pyarrow", "cohort")
    types = {
        ColumnType.TEXT: pa.string(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.NUMBER: pa.float64(),
        ColumnType.FLAG: pa.bool_(),
        ColumnType.TIME: pa.timestamp("us", "UTC"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    return pa.table(_columns(list(rows(explanation))), schema=schema)


def to_frame(explanation: ExplanationRecord) -> pd.DataFrame:
    """A row for each attribution and target. It needs pandas."""
    try:
        pd = import_module("pandas")
    except ModuleNotFoundError as missing:
        text = (
            "to_frame needs pandas, which is not installed; run pip install pandas, or use to_arrow or to_csv"
        )
        raise CallerError(text, reason="EXTRA_NOT_INSTALLED") from missing
    columns = _columns(list(rows(explanation)))
    return pd.DataFrame(
        {name: pd.Series(columns[name], dtype=_PANDAS[kind]) for name, kind in COLUMNS.items()}
    )


def _columns(table: list[Row]) -> dict[str, list[Any]]:
    return {name: [_utc(row[name]) for row in table] for name in COLUMNS}


def _utc(value: Value) -> Value:
    """A time in UTC, since a column has one time zone."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
