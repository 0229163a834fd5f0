"""Runs a notebook in the Python of an environment, and reads what its cells show."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
PACKAGES = ("service", "clients/python", "proto/python")
EXECUTE = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
"""In a process of its own, since nbclient leaves sockets open."""


def read(name: str) -> Any:
    """A notebook as it is committed."""
    return nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)


def executed(name: str, folder: Path, scratch: Path, python: str = sys.executable) -> Any:
    """The notebook with its outputs, after all its cells were run from top to bottom.

    Args:
        name: the notebook.
        folder: where it runs.
        scratch: a folder for its files and for those of the test.
        python: the Python that runs it, which needs nbclient and ipykernel.

    Raises:
        AssertionError: a cell failed; the message has its traceback.
    """
    source, target = ROOT / "docs" / "notebooks" / f"{name}.ipynb", scratch / "executed.ipynb"
    path = os.pathsep.join(str(ROOT / package) for package in PACKAGES)
    done = subprocess.run(
        [python, "-c", EXECUTE, str(source), str(target)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return nbformat.read(target, as_version=4)


def code(notebook: Any) -> list[Any]:
    """The cells with code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any) -> str:
    """What a cell prints, and the text of its value."""
    return "".join(_texts(cell))


def _texts(cell: Any) -> Iterator[str]:
    for output in cell.outputs:
        yield output.get("text", "") or output.get("data", {}).get("text/plain", "")


def cell_with(notebook: Any, words: str) -> Any:
    """The first cell whose code has these words."""
    return next(cell for cell in code(notebook) if words in cell.source)


def figures(notebook: Any) -> int:
    """How many cells show a figure."""
    data = [output.get("data", {}) for cell in code(notebook) for output in cell.outputs]
    return sum("image/png" in each for each in data)
