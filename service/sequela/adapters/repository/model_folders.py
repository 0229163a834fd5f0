"""The folders of a model repository: `<root>/<name>/<version>`, each with an ONNX file or the file of an endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sequela.names import ModelName, is_model, is_version

ONNX_FILE = "model.onnx"
ENDPOINT_FILE = "endpoint.toml"
SCHEMA_FILE = "schema.json"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The folder of one version of a model."""

    name: ModelName
    path: Path

    @property
    def is_endpoint(self) -> bool:
        """Whether it contains the file of an endpoint and no ONNX file."""
        return (self.path / ENDPOINT_FILE).exists() and not (self.path / ONNX_FILE).exists()


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
