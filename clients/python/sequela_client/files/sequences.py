"""Reads sequences and backgrounds from files that have the model's columns in the model's order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sequela_client.files.file_table import FileTable, numbers
from sequela_client.files.loader import FileValues, load
from sequela_client.inputs import BackgroundValues, Sequence


def read_sequence(path: Path) -> Sequence:
    """Reads a sequence, with its id, labels and events. The names of a table's columns are not used.

    Raises CallerError, which names the file and what is wrong.
    """
    loaded = load(path)
    return Sequence(_values(loaded.values), loaded.events, loaded.id, loaded.labels, loaded.columns)


def read_background(path: Path) -> BackgroundValues:
    """Reads a background; JSON may have `{"inputs": …, "mean_event": …}`. Raises CallerError as `read_sequence`."""
    loaded = load(path)
    mean = loaded.mean_event
    return BackgroundValues(_values(loaded.values), None if mean is None else _values(mean))


def _values(held: FileValues) -> NDArray[Any] | Mapping[str, NDArray[Any]]:
    return numbers(held) if isinstance(held, FileTable) else held
