"""The models that an engine holds."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from sequela.adapters.onnx.loader import Loader
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.model_files import read_model
from sequela.adapters.repository.model_runners import VersionFolder
from sequela.errors import SequelaError

_log = structlog.get_logger(__name__)


class ModelSet:
    """The models by digest. The server has loaded each of them before, in a process that may crash."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._models: dict[str, OnnxModel] = {}

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of all models."""
        return tuple(self._models)

    def get(self, digest: str) -> OnnxModel | None:
        """Returns the model with this digest, or None."""
        return self._models.get(digest)

    def hold(self, versions: Sequence[VersionFolder]) -> None:
        """Loads those of these models that are missing, and drops all others. Errors are logged."""
        wanted = {version.digest: version for version in versions}
        # The others go first, so that both never need memory at the same time.
        self._models = {digest: model for digest, model in self._models.items() if digest in wanted}
        for version in wanted.values():
            if version.digest not in self._models:
                self._load(version)

    def _load(self, version: VersionFolder) -> None:
        try:
            source = read_model(version.path, self._loader.limits)
            if source.digest == version.digest:
                self._models[version.digest] = self._loader.load(version.name, source)
                return
            detail = "its files have changed"
        except (SequelaError, OSError) as error:
            detail = str(error)
        _log.error("model failed to load", model=version.name, detail=detail)
