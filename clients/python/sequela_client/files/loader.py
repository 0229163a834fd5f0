"""Loads any file that can have a sequence or a background. Its columns are matched with features later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sequela_client.errors import CallerError
from sequela_client.files.arrays import array_of_lists, read_npy, read_npz
from sequela_client.files.csv_reader import read_csv
from sequela_client.files.file_table import FileTable
from sequela_client.files.records import columns_in, parse_json, parse_json_lines, table_in
from sequela_client.files.text_encoding import decode_text
from sequela_client.files.text_format import TextFormat, file_error
from sequela_client.inputs import EventInfo

FileValues = FileTable | NDArray[Any] | Mapping[str, NDArray[Any]]
"""The values in a file: a table, one array, or arrays by name."""

_AS_CSV = "pandas.{}(path).to_csv(path, index=False); the Python client takes the DataFrame itself"
# Kinds of files that are not read, and what to do with them.
_ADVICE = {
    ".parquet": _AS_CSV.format("read_parquet"),
    ".feather": _AS_CSV.format("read_feather"),
    ".arrow": _AS_CSV.format("read_feather"),
    ".orc": _AS_CSV.format("read_orc"),
    ".xlsx": "save it as CSV",
    ".xls": "save it as CSV",
    ".ods": "save it as CSV",
    ".pkl": "a pickle is never loaded; write CSV or .npy",
    ".pickle": "a pickle is never loaded; write CSV or .npy",
    ".pt": "write .npy: numpy.save(path, tensor.numpy())",
    ".pth": "write .npy: numpy.save(path, tensor.numpy())",
    ".mat": "write .npy: numpy.save(path, scipy.io.loadmat(path)[name])",
    ".h5": _AS_CSV.format("read_hdf"),
    ".hdf5": _AS_CSV.format("read_hdf"),
    ".gz": "unpack it first",
    ".zip": "unpack it first",
    ".bz2": "unpack it first",
    ".zst": "unpack it first",
}


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file: its values, and the other parts of an alert or a background in JSON."""

    path: Path
    values: FileValues
    events: tuple[EventInfo, ...] = ()
    id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    mean_event: FileValues | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def is_data_file(text: str) -> bool:
    """Returns whether a name has the suffix of a data file, even of a kind that cannot be read."""
    return Path(text).suffix.lower() in _READERS.keys() | _ADVICE.keys()


def load(path: Path, text_format: TextFormat | None = None) -> FileContent:
    """Loads the content of a file. Raises CallerError, which names the file and what is wrong in it."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise _unknown(path)
    try:
        return reader(path, text_format or TextFormat())
    except CallerError:
        raise
    except OSError as error:
        raise CallerError(f"{path}: {error.strerror or error}", reason="FILE_NOT_READABLE") from error
    except Exception as error:
        # For damaged files, numpy, zipfile, csv and json raise many kinds of errors, which all mean the same here.
        raise file_error(path, str(error) or type(error).__name__) from error


def _unknown(path: Path) -> CallerError:
    ending = path.suffix.lower()
    if ending in _ADVICE:
        return file_error(path, f"files that end in {ending} cannot be read; {_ADVICE[ending]}")
    return file_error(path, f"its name must end in {', '.join(_READERS)}")


def _delimited(path: Path, text_format: TextFormat) -> FileContent:
    return FileContent(path, read_csv(path, text_format))


def _npy(path: Path, _: TextFormat) -> FileContent:
    return FileContent(path, read_npy(path))


def _npz(path: Path, _: TextFormat) -> FileContent:
    return FileContent(path, read_npz(path))


def _json(path: Path, text_format: TextFormat) -> FileContent:
    text = decode_text(path.read_bytes(), text_format.encoding)
    try:
        content = parse_json(text)
    except ValueError:
        # With lines=True, pandas writes one record on each line, whatever the name of the file.
        if text.count("\n") and text.lstrip().startswith(("{", "[")) and _first_line_is_json(text):
            return _from_json(path, parse_json_lines(text))
        raise
    return _from_json(path, content)


def _first_line_is_json(text: str) -> bool:
    try:
        json.loads(text.lstrip().split("\n", 1)[0])
    except ValueError:
        return False
    return True


def _json_lines(path: Path, text_format: TextFormat) -> FileContent:
    return _from_json(path, parse_json_lines(decode_text(path.read_bytes(), text_format.encoding)))


def _from_json(path: Path, content: Any) -> FileContent:
    if not (isinstance(content, Mapping) and "inputs" in content):
        return FileContent(path, _file_values(path, content))
    _check_keys(content, ("inputs", "id", "labels", "events", "mean_event"))
    # A background may have an event for positions before its first row.
    mean = content.get("mean_event")
    try:
        return FileContent(
            path,
            _file_values(path, content["inputs"]),
            tuple(map(_event, content.get("events", ()))),
            str(content.get("id", "")),
            {str(key): str(value) for key, value in content.get("labels", {}).items()},
            None if mean is None else _file_values(path, [mean] if _is_record(mean) else mean),
            # `sequela show --sequence` writes the names of columns that were sent by name.
            {name: tuple(map(str, names)) for name, names in content.get("columns", {}).items()},
        )
    except (TypeError, AttributeError) as error:
        raise ValueError(f"its events, labels or columns are not as expected: {error}") from error


def _is_record(content: Any) -> bool:
    return isinstance(content, Mapping) and not any(
        isinstance(each, list | dict) for each in content.values()
    )


def _has_words(content: Mapping[str, Any]) -> bool:
    """Returns whether lists by name have texts, and so are columns, not inputs."""
    lists = list(content.values())
    return all(isinstance(each, list) for each in lists) and any(
        isinstance(cell, str) for each in lists for cell in each
    )


def _file_values(path: Path, content: Any) -> FileValues:
    table = table_in(path, [content] if _is_record(content) and content else content)
    if table is not None:
        return table
    if isinstance(content, Mapping) and _has_words(content):
        table = columns_in(path, content)
        if table is not None:
            return table
    if isinstance(content, Mapping):
        return {name: array_of_lists(f"{path}, input {name}", value) for name, value in content.items()}
    return array_of_lists(str(path), content)


def _check_keys(content: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raises ValueError if a key looks like a misspelling of a known one; other keys are ignored."""
    for key in content:
        alike = [] if key in known else get_close_matches(key.lower(), known, 1, 0.8)
        if alike and alike[0] not in content:
            raise ValueError(f"the key {key!r} is not known; did you mean {alike[0]!r}?")


def _event(item: Mapping[str, Any]) -> EventInfo:
    """Reads what a file says about an event. A time without a zone is taken as UTC, so it is shown as it is written."""
    _check_keys(item, ("id", "time", "display"))
    time = datetime.fromisoformat(item["time"]) if item.get("time") else None
    if time is not None and time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    display = {str(key): str(value) for key, value in item.get("display", {}).items()}
    return EventInfo(str(item.get("id", "")), time, display)


_READERS: dict[str, Callable[[Path, TextFormat], FileContent]] = {
    ".json": _json,
    ".csv": _delimited,
    ".npy": _npy,
    ".npz": _npz,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
