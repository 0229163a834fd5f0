"""The model repository's folders: `<root>/<name>/<version>`, each with a model's file, or an endpoint's."""

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
    """Where one version of a model lies."""

    name: ModelName
    path: Path

    @property
    def is_endpoint(self) -> bool:
        """Whether it says where a model is served, instead of holding one."""
        return (self.path / ENDPOINT_FILE).exists() and not (self.path / ONNX_FILE).exists()


def find_folders(root: Path) -> list[ModelFolder]:
    """Every version folder; others, hidden ones among them, are nobody's model. Raises OSError."""
    return sorted(
        (
            ModelFolder(ModelName(model.name, int(version.name)), version)
            for model in _folders(root)
            if is_model(model.name) and not model.name.startswith(".")
            for version in _folders(model)
            if is_version(version.name)
        ),
        key=lambda folder: folder.name,
    )


def _folders(path: Path) -> Iterator[Path]:
    return (item for item in path.iterdir() if item.is_dir())
