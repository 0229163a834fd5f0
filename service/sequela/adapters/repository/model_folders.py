"""The folders of a model repository: `<root>/<name>/<version>`, each with an ONNX file or the file of an endpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sequela.names import ModelName, is_model, is_version

ONNX_FILE = "model.onnx"
ENDPOINT_FILE = "endpoint.toml"
SCHEMA_FILE = "schema.json"
MAX_FILES = 1_000
"""How many files of a version are checked for changes. A model has two, and a few more with weights."""

Fingerprint = tuple[tuple[str, int, int, int, int], ...]
"""Name, size, times of the last changes and number of each file."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The folder of one version of a model."""

    name: ModelName
    path: Path

    @property
    def is_endpoint(self) -> bool:
        """Whether it contains the file of an endpoint and no ONNX file."""
        return (self.path / ENDPOINT_FILE).exists() and not (self.path / ONNX_FILE).exists()


def fingerprint(folder: ModelFolder) -> Fingerprint:
    """Returns a value that changes when the files of a folder do, without reading them. Raises OSError."""
    files = (path for path in sorted(folder.path.rglob("*"))[:MAX_FILES] if not path.name.startswith("."))
    # The numbers are those of the files that links lead to: Kubernetes changes a mounted file by changing a link.
    return tuple(_file_mark(path, path.stat()) for path in files)


def readable_fingerprint(folder: ModelFolder) -> Fingerprint:
    """Returns the fingerprint; an empty one if the files cannot be looked at."""
    try:
        return fingerprint(folder)
    except OSError:  # a link that leads nowhere, or a file that has just been removed: loading it says which
        return ()


def _file_mark(path: Path, found: os.stat_result) -> tuple[str, int, int, int, int]:
    # Permissions change the second of the two times only.
    return path.name, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def find_folders(root: Path) -> list[ModelFolder]:
    """Returns all version folders, sorted by name. Other folders and hidden ones are left out. Raises OSError."""
    return sorted(
        (
            ModelFolder(ModelName(model.name, int(version.name)), version)
            for model in _subfolders(root)
            # Hidden folders belong to tools such as git and Kubernetes, which mounts volumes through them.
            if is_model(model.name) and not model.name.startswith(".")
            for version in _subfolders(model)
            if is_version(version.name)
        ),
        key=lambda folder: folder.name,
    )


def _subfolders(path: Path) -> Iterator[Path]:
    return (item for item in path.iterdir() if item.is_dir())
