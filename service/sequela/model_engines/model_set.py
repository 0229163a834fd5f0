"""The models that an engine holds."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from sequela.adapters.onnx.loader import Loader
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_files import read_model
from sequela.adapters.repository.model_runners import VersionFolder
from sequela.errors import SequelaError

_log = structlog.get_logger(__name__)


RETRY_SECONDS = 2.0
"""How long, in seconds, a model that could not be loaded is not loaded again, even if a request needs it."""


class ModelSet:
    """The models by digest. The server has loaded each of them before, in a process that may crash."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._models: dict[str, OnnxModel] = {}
        self._versions: dict[str, list[VersionFolder]] = {}
        self._retry_at: dict[str, float] = {}

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of all models."""
        return tuple(self._models)

    @property
    def absent(self) -> tuple[str, ...]:
        """The digests of those that could not be loaded."""
        return tuple(digest for digest in self._versions if digest not in self._models)

    def get(self, digest: str) -> OnnxModel | None:
        """Returns the model with this digest, or None.

        A model that could not be loaded is tried again, since its files may be readable by now.
        """
        missing = digest in self._versions and digest not in self._models
        if missing and time.monotonic() >= self._retry_at.get(digest, 0.0):
            self._load(digest)
        return self._models.get(digest)

    def hold(self, versions: Sequence[VersionFolder]) -> None:
        """Loads those of these models that are missing, and drops all others. Errors are logged."""
        wanted: dict[str, list[VersionFolder]] = {}
        for version in versions:
            wanted.setdefault(version.digest, []).append(version)
        self._versions = wanted
        # Other models are dropped first, so that they never take memory at the same time as new ones.
        self._models = {digest: model for digest, model in self._models.items() if digest in wanted}
        for digest in wanted:
            if digest not in self._models:
                self._load(digest)

    def _load(self, digest: str) -> None:
        """Loads a model from the first of its folders that still contains it."""
        for version in self._versions[digest]:
            if model := self._read(version):
                self._models[digest] = model
                return
        self._retry_at[digest] = time.monotonic() + RETRY_SECONDS

    def _read(self, version: VersionFolder) -> OnnxModel | None:
        try:
            source = read_model(version.path, self._loader.limits)
            if source.digest == version.digest:
                return self._loader.load(version.name, source)
            detail = "its files have changed"
        except (SequelaError, OSError) as error:
            detail = str(error)
        _log.error("model failed to load", model=version.name, detail=detail)
        return None
