"""Warnings about files in a model repository that are ignored because they are misspelt or misplaced."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from sequela.adapters.repository.model_folders import ENDPOINT_FILE, ONNX_FILE, SCHEMA_FILE
from sequela.names import is_model, is_version

MAX_WARNINGS = 20
"""The largest number of warnings, so that a folder full of other files does not fill the log."""

_MIN_SIMILARITY = 0.75
"""A file name with at least this `difflib` ratio counts as misspelt; `shema.json` has 0.95."""

_SYSTEM_FOLDERS = ("lost+found", "__pycache__")
_VERSION = "a version folder must be a whole number without leading zeros, such as 1"
_NAME = "a model name consists of at most 128 letters, digits, '.', '_' and '-'"


def layout_warnings(root: Path) -> list[str]:
    """Returns one sentence for each ignored file or folder, with what to do. Hidden files are left out. Never fails."""
    found = list(_in_root(root))
    # The last warning says how many there are beyond the limit.
    if len(found) > MAX_WARNINGS:
        found[MAX_WARNINGS:] = [f"{len(found) - MAX_WARNINGS} more files and folders are ignored"]
    return found


def _in_root(root: Path) -> Iterator[str]:
    items = _visible(root)
    for item in items:
        if item.is_dir():
            yield from _in_model(item)
        elif _is_model_file(item):
            target = f"<name>/1/{_right_name(item)}"
            yield f"{item.name} is ignored: it is not in a model's folder; move it to {target}"
    if not any(item.is_dir() for item in items):
        yield f"it contains no folders; expected <name>/<version>/{ONNX_FILE} or <name>/<version>/{ENDPOINT_FILE}"


def _in_model(folder: Path) -> Iterator[str]:
    name, items = folder.name, _visible(folder)
    if not is_model(name):
        if _holds_model(folder) or any(_holds_model(item) for item in items):
            yield f"{name}/ is ignored: {_NAME}; rename it"
        return
    warnings = [warning for item in items for warning in _in_model_folder(name, item)]
    versions = any(item.is_dir() and is_version(item.name) for item in items)
    if not warnings and not versions and name not in _SYSTEM_FOLDERS:
        warnings = [f"{name}/ contains no model; expected {name}/1/{ONNX_FILE} or {name}/1/{ENDPOINT_FILE}"]
    yield from warnings


def _in_model_folder(model: str, item: Path) -> Iterator[str]:
    """Warnings about one item in a model's folder."""
    if item.is_file() and _is_model_file(item):
        target = f"{model}/1/{_right_name(item)}"
        yield f"{model}/{item.name} is ignored: it is not in a version folder; move it to {target}"
    elif item.is_dir() and is_version(item.name):
        yield from _in_version(item)
    elif item.is_dir() and _holds_model(item):
        yield f"{model}/{item.name}/ is ignored: {_VERSION}; rename it"


def _in_version(folder: Path) -> Iterator[str]:
    """Warnings about files with a wrong name, if none has the right name."""
    place, names = f"{folder.parent.name}/{folder.name}", [item.name for item in _visible(folder)]
    if SCHEMA_FILE not in names:
        for name in filter(_resembles_schema, names):
            yield f"{place}/{name} is ignored: the schema must be JSON and named {SCHEMA_FILE}; rename it"
    if ONNX_FILE in names or ENDPOINT_FILE in names:
        return
    for name in names:
        if name.lower().endswith(".onnx"):
            yield f"{place}/{name} is ignored: the model must be named {ONNX_FILE}; rename it"
        elif _resembles_endpoint(name):
            yield f"{place}/{name} is ignored: an endpoint must be TOML and named {ENDPOINT_FILE}; rename it"


def _right_name(file: Path) -> str:
    """Returns the name that the file should have."""
    if file.suffix.lower() == ".onnx":
        return ONNX_FILE
    return ENDPOINT_FILE if file.suffix.lower() == ".toml" else SCHEMA_FILE


def _is_model_file(file: Path) -> bool:
    return file.suffix.lower() == ".onnx" or file.name in (ENDPOINT_FILE, SCHEMA_FILE)


def _holds_model(folder: Path) -> bool:
    return any(item.suffix.lower() == ".onnx" or item.name == ENDPOINT_FILE for item in _visible(folder))


def _resembles_schema(name: str) -> bool:
    return _resembles(name.lower(), SCHEMA_FILE)


def _resembles_endpoint(name: str) -> bool:
    return _resembles(name.lower(), ENDPOINT_FILE)


def _resembles(name: str, right: str) -> bool:
    """Returns whether a name is the right one misspelt, or with another ending."""
    if name.partition(".")[0] == right.partition(".")[0]:
        return True
    return difflib.SequenceMatcher(None, name, right).ratio() >= _MIN_SIMILARITY


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    except OSError:  # not a folder, or not readable
        return []
