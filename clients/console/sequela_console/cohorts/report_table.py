"""Tables of reports as the pages get them: columns with headings, rows, and sentences about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sequela_client.cohort.cells import heading


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name, and its heading."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class TableData:
    """A table."""

    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()


def table_data(table: Any, notes: Iterable[str] = ()) -> TableData:
    """Returns a pyarrow Table as columns and rows."""
    columns = [list(map(_cell, table[name].to_pylist())) for name in table.column_names]
    return TableData(
        columns=tuple(TableColumn(name, heading(name)) for name in table.column_names),
        rows=tuple(zip(*columns, strict=True)),
        notes=tuple(notes),
    )


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    return ", ".join(map(str, value)) if isinstance(value, list) else value
