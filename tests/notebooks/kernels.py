"""Runs a notebook in the Python of an environment, and reads what its cells show."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
PACKAGES = ("service", "clients/python", "proto/python")
CELL_SECONDS = 600
KERNEL = "tested"


def read(name: str) -> Any:
    """A notebook as it is committed."""
    return nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)


def executed(name: str, folder: Path, scratch: Path, python: str = sys.executable) -> Any:
    """The notebook with its outputs, after all its cells were run from top to bottom.

    Args:
        name: the notebook.
        folder: where it runs.
        scratch: a folder for its files and for those of the test.
        python: the Python of the kernel, which needs ipykernel.

    Raises:
        CellExecutionError: a cell failed.
    """
    spec = scratch / "kernels" / KERNEL
    spec.mkdir(parents=True)
    path = os.pathsep.join(str(ROOT / package) for package in PACKAGES)
    kernel = {
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": KERNEL,
        "language": "python",
        "env": {"PYTHONPATH": path, "TMPDIR": str(scratch)},
    }
    (spec / "kernel.json").write_text(json.dumps(kernel))
    specs = KernelSpecManager(kernel_dirs=[str(spec.parent)])
    notebook = read(name)
    manager = AsyncKernelManager(kernel_name=KERNEL, kernel_spec_manager=specs)
    client = NotebookClient(
        notebook, km=manager, timeout=CELL_SECONDS, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return notebook


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
