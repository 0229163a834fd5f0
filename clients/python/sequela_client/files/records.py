"""Reads tables in JSON: records, columns by name, and the forms that pandas writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sequela_client.files.cells import Cell
from sequela_client.files.file_table import FileTable


def parse_json(text: str) -> Any:
    """Parses JSON. Raises ValueError if it is not valid, or if an object has a key twice."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return found


def parse_json_lines(text: str) -> list[Any]:
    """Parses a JSON value on each line. Raises ValueError, which names the line."""
    values = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            values.append(parse_json(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    return values


def table_in(path: Path, content: Any) -> FileTable | None:
    """Returns the table in a JSON value; None if it is not a table. Raises ValueError if the table is faulty."""
    match content:
        case [{}, *_]:
            return _from_records(path, content)
        case {"columns": [*names], "data": [*rows]}:
            return _from_rows(path, tuple(map(str, names)), rows)
        case {"schema": {"fields": _}, "data": [{}, *_] as records}:
            return _from_records(path, records)
        case {} if content and all(isinstance(each, Mapping) for each in content.values()):
            return _from_mappings(path, content)
        case _:
            return None


def columns_in(path: Path, content: Mapping[str, Sequence[Cell]]) -> FileTable | None:
    """Returns the table of columns by name; None if they are not columns of the same length."""
    columns = [list(column) for column in content.values()]
    if not columns or len(set(map(len, columns))) != 1 or not columns[0]:
        return None
    if not all(_is_cell(cell) for column in columns for cell in column):
        return None
    return _table(path, tuple(content), list(zip(*columns, strict=True)), "row")


def _from_records(path: Path, records: Sequence[Any]) -> FileTable:
    """Returns the table of records; a key that a record does not have is a missing value."""
    names: dict[str, None] = {}
    for number, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise ValueError(f"record {number} is not an object of values by name, as the first one is")
        if "inputs" in record:
            raise ValueError(
                f"record {number} has 'inputs', as if the file had several alerts; write one file for each sequence"
            )
        names.update(dict.fromkeys(record))
    rows = [tuple(record.get(name) for name in names) for record in records]
    return _table(path, tuple(names), rows, "record")


def _from_rows(path: Path, names: tuple[str, ...], rows: Sequence[Any]) -> FileTable:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != len(names):
            raise ValueError(f"row {number} of 'data' does not have a value for each of {len(names)} columns")
    return _table(path, names, [tuple(row) for row in rows], "row")


def _from_mappings(path: Path, content: Mapping[str, Mapping[str, Any]]) -> FileTable:
    """Returns the table of nested objects: columns by row, pandas' default, or rows by column (orient="index")."""
    outer, inner = list(content), [list(each) for each in content.values()]
    if any(set(each) != set(inner[0]) for each in inner):
        raise ValueError("its objects have different keys; write records: [{name: value, …}, …]")
    counted, counted_inside = _is_count(outer), _is_count(inner[0])
    # If both are numbered, there is no way to know which are the rows.
    if counted and counted_inside:
        raise ValueError(
            'its rows and columns both have numbers as names; write records, or orient="split" in pandas'
        )
    if counted:
        return _from_records(path, list(content.values()))
    rows = [tuple(content[name][key] for name in outer) for key in inner[0]]
    return _table(path, tuple(outer), rows, "row")


def _is_count(keys: Sequence[str]) -> bool:
    return list(keys) == [str(number) for number in range(len(keys))]


def _table(path: Path, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]], unit: str) -> FileTable:
    for number, row in enumerate(rows, 1):
        for name, cell in zip(names, row, strict=True):
            if not _is_cell(cell):
                raise ValueError(f"{unit} {number}, {name!r} is a {type(cell).__name__}, not a single value")
    if not rows or not names:
        raise ValueError("it has no events")
    return FileTable(path, tuple(rows), tuple(range(1, len(rows) + 1)), names, unit=unit)


def _is_cell(cell: Any) -> bool:
    return cell is None or isinstance(cell, str | bool | int | float)
