"""Reads the answers of the command about files, and writes files to ask about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

Ask = Callable[..., Result]
"""Explains a model and a file, with more options; a background of zeros unless said."""


def scored(done: Result) -> tuple[float, int]:
    """Returns the score and the number of events in an answer."""
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    return told["targets"][0]["score"], told["length"]


def refused(done: Result) -> str:
    """Asserts that the command failed, and returns its one line of error."""
    assert done.exit_code == 1, done.output
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    return done.stderr


def zeros(folder: Path, width: int) -> tuple[object, ...]:
    """Writes a background of zeros to a file, and returns the arguments that name it."""
    np.save(folder / "zeros.npy", np.zeros(width, np.float32))
    return ("--background", folder / "zeros.npy")


def text(folder: Path, name: str, content: str) -> Path:
    """Writes a file with this text."""
    (folder / name).write_text(content)
    return folder / name
