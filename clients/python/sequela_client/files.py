"""Sequences and backgrounds in files: JSON, CSV, npy, npz. All hold the oldest event first.

JSON: `{"id", "labels", "inputs": {name: nested lists}, "events": [{"id", "time", "display": {…}}]}`, or just
nested lists. CSV: one row an event, after a header of column names or none. npy: (l, d). npz: arrays by input
name.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela_client.errors import CallerError
from sequela_client.inputs import BackgroundValues, EventInfo, Sequence, Values


def is_data_file(text: str) -> bool:
    """Whether it ends like a file that can be read here."""
    return Path(text).suffix.lower() in _READERS


def read_sequence(path: Path) -> Sequence:
    """A sequence with all that the file tells about it. Raises CallerError, naming the file and what is
    wrong.
    """
    content = _read(path)
    if not (isinstance(content, Mapping) and "inputs" in content):
        return Sequence(_values(path, content))
    try:
        return Sequence(
            _values(path, content["inputs"]),
            tuple(map(_event, content.get("events", ()))),
            str(content.get("id", "")),
            {str(key): str(value) for key, value in content.get("labels", {}).items()},
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise _bad(path, str(error)) from error


def read_background(path: Path) -> BackgroundValues:
    """Background values; JSON may hold `{"inputs": …, "mean_event": …}`. Raises CallerError."""
    content = _read(path)
    if not (isinstance(content, Mapping) and "inputs" in content):
        return BackgroundValues(_values(path, content))
    mean = content.get("mean_event")
    return BackgroundValues(_values(path, content["inputs"]), None if mean is None else _values(path, mean))


def column_names(path: Path) -> tuple[str, ...]:
    """The names in the header of a CSV file that can be read; none without a header, or for another kind."""
    return _header(_rows(path)) if path.suffix.lower() == ".csv" else ()


def _read(path: Path) -> Any:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise _bad(path, f"its name must end in {', '.join(_READERS)}")
    try:
        return reader(path)
    except OSError as error:
        raise CallerError(f"{path}: {error.strerror or error}", reason="FILE_NOT_READABLE") from error
    except Exception as error:
        # Bad bytes make numpy, zipfile, csv and json raise a dozen unrelated errors; all mean the same here.
        raise _bad(path, str(error) or type(error).__name__) from error


def _values(path: Path, content: Any) -> Values:
    """Arrays by input name, or one array."""
    if isinstance(content, Mapping):
        return {name: _array(f"{path}, input {name}", value) for name, value in content.items()}
    return _array(str(path), content)


def _array(where: str, nested: Any) -> NDArray[Any]:
    try:
        array = np.asarray(nested)
    except ValueError as error:
        raise _bad(where, "its rows differ in length") from error
    if array.dtype.kind not in "biuf":
        raise _bad(where, "not an array of numbers")
    return array


def _event(item: Mapping[str, Any]) -> EventInfo:
    time = datetime.fromisoformat(item["time"]) if item.get("time") else None
    display = {str(key): str(value) for key, value in item.get("display", {}).items()}
    return EventInfo(str(item.get("id", "")), time, display)


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _csv(path: Path) -> NDArray[np.float64]:
    rows = _rows(path)
    first = 1 if _header(rows) else 0
    if len(rows) <= first:
        raise ValueError("it holds no events")
    columns = len(rows[0][1])
    for number, row in rows[first:]:
        if len(row) != columns:
            raise ValueError(f"line {number} has {len(row)} columns, not {columns}")
        for column, text in enumerate(row, 1):
            if not _is_number(text):
                raise ValueError(f"line {number}, column {column}: {text!r} is not a number")
    return np.array([[float(text) for text in row] for _, row in rows[first:]])


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """A CSV file's lines that are not blank, with their numbers."""
    with path.open(newline="", encoding="utf-8-sig") as lines:
        return [(number, row) for number, row in enumerate(csv.reader(lines), 1) if any(row)]


def _header(rows: list[tuple[int, list[str]]]) -> tuple[str, ...]:
    """The first line's names, where it is not all numbers."""
    if not rows or all(map(_is_number, rows[0][1])):
        return ()
    return tuple(name.strip() for name in rows[0][1])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _npy(path: Path) -> Any:
    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _bad(where: object, what: str) -> CallerError:
    return CallerError(f"{where}: {what}", reason="FILE_INVALID")


_READERS: dict[str, Callable[[Path], Any]] = {".json": _json, ".csv": _csv, ".npy": _npy, ".npz": _npz}
