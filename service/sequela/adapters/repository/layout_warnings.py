"""What lies in a model repository and is not read, though somebody may have meant it to be: misspelt and misplaced."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from sequela.adapters.repository.model_folders import ENDPOINT_FILE, ONNX_FILE, SCHEMA_FILE
from sequela.names import is_model, is_version

MOST = 20
"""Notes of one repository at most, so that a folder of something else does not fill the log."""
_ALIKE = 0.75
_NO_MODELS = ("lost+found", "__pycache__")
_VERSION = "a version folder is a whole number without leading zeros, such as 1"
_NAME = "a model's name has at most 128 letters, digits, '.', '_' and '-'"


def layout_warnings(root: Path) -> list[str]:
    """One sentence for each, with the way out. Never fails; hidden files are nobody's business."""
    found = list(_of_root(root))
    if len(found) > MOST:
        found[MOST:] = [f"{len(found) - MOST} more files and folders are passed over"]
    return found


def _of_root(root: Path) -> Iterator[str]:
    items = _visible(root)
    for item in items:
        if item.is_dir():
            yield from _of_model(item)
        elif _is_ours(item):
            place = f"<name>/1/{_meant(item)}"
            yield f"{item.name} is passed over: it lies in the repository itself; move it to {place}"
    if not any(item.is_dir() for item in items):
        yield f"it holds no folder; models lie in it as <name>/<version>/{ONNX_FILE} or {ENDPOINT_FILE}"


def _of_model(folder: Path) -> Iterator[str]:
    name, items = folder.name, _visible(folder)
    if not is_model(name):
        if _holds_model(folder) or any(_holds_model(item) for item in items):
            yield f"{name}/ is passed over: {_NAME}; rename it"
        return
    notes = [note for item in items for note in _of_item(name, item)]
    versions = any(item.is_dir() and is_version(item.name) for item in items)
    if not notes and not versions and name not in _NO_MODELS:
        notes = [f"{name}/ holds no model; expected {name}/1/{ONNX_FILE} or {name}/1/{ENDPOINT_FILE}"]
    yield from notes


def _of_item(model: str, item: Path) -> Iterator[str]:
    """Notes on what lies in a model's folder."""
    if item.is_file() and _is_ours(item):
        place = f"{model}/1/{_meant(item)}"
        yield f"{model}/{item.name} is passed over: it belongs into a version folder; move it to {place}"
    elif item.is_dir() and is_version(item.name):
        yield from _of_version(item)
    elif item.is_dir() and _holds_model(item):
        yield f"{model}/{item.name}/ is passed over: {_VERSION}; rename it"


def _of_version(folder: Path) -> Iterator[str]:
    """Files that have other names where the right ones are missing."""
    place, names = f"{folder.parent.name}/{folder.name}", [item.name for item in _visible(folder)]
    if SCHEMA_FILE not in names:
        for name in filter(_like_schema, names):
            yield f"{place}/{name} is passed over: a schema is JSON and called {SCHEMA_FILE}; rename it"
    if ONNX_FILE in names or ENDPOINT_FILE in names:
        return
    for name in names:
        if name.lower().endswith(".onnx"):
            yield f"{place}/{name} is passed over: the model is called {ONNX_FILE}; rename it"
        elif _like_endpoint(name):
            yield f"{place}/{name} is passed over: an endpoint is TOML and called {ENDPOINT_FILE}; rename it"


def _meant(file: Path) -> str:
    """What the file would have to be called."""
    if file.suffix.lower() == ".onnx":
        return ONNX_FILE
    return ENDPOINT_FILE if file.suffix.lower() == ".toml" else SCHEMA_FILE


def _is_ours(file: Path) -> bool:
    return file.suffix.lower() == ".onnx" or file.name in (ENDPOINT_FILE, SCHEMA_FILE)


def _holds_model(folder: Path) -> bool:
    return any(item.suffix.lower() == ".onnx" or item.name == ENDPOINT_FILE for item in _visible(folder))


def _like_schema(name: str) -> bool:
    return _like(name.lower(), SCHEMA_FILE)


def _like_endpoint(name: str) -> bool:
    return _like(name.lower(), ENDPOINT_FILE)


def _like(name: str, right: str) -> bool:
    """Whether a name is the right one misspelt, or has another ending."""
    if name.partition(".")[0] == right.partition(".")[0]:
        return True
    return difflib.SequenceMatcher(None, name, right).ratio() >= _ALIKE


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    except OSError:  # no folder, or not to be read
        return []
