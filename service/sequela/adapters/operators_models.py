"""The operator's models by name, those of this process and those served elsewhere alike."""

from __future__ import annotations

from pathlib import Path

from sequela.adapters.configured_models import ConfiguredModels
from sequela.adapters.endpoints.configured import ConfiguredEndpoints
from sequela.adapters.endpoints.switchboard import Switchboard
from sequela.adapters.model_folders import find_folders
from sequela.adapters.model_names import ModelName, ModelPattern
from sequela.adapters.onnx_models.loading import Loader
from sequela.adapters.onnx_models.model import OnnxModel
from sequela.explaining.ports import ModelRecord, ModelSource


class OperatorsModels:
    """Both kinds as one."""

    def __init__(self, models: ConfiguredModels, endpoints: ConfiguredEndpoints) -> None:
        self._models, self._endpoints = models, endpoints

    @classmethod
    def in_folder(cls, root: Path | None, loader: Loader, switchboard: Switchboard) -> OperatorsModels:
        """Those of a model repository; none without one. Raises OSError where it cannot be read."""
        folders = find_folders(root) if root else []
        served = [folder for folder in folders if folder.is_endpoint]
        own = [folder for folder in folders if not folder.is_endpoint]
        return cls(ConfiguredModels(own, loader), ConfiguredEndpoints(served, switchboard, loader.limits))

    def start(self) -> None:
        """Begins to load the ones and to look after the others."""
        self._models.start()
        self._endpoints.start()

    def wait(self) -> None:
        """Waits until every model of this process is loaded or has failed."""
        self._models.wait()

    def stop(self) -> None:
        """Loads no further model, looks no more."""
        self._models.stop()
        self._endpoints.stop()

    def ready(self) -> bool:
        """Whether this process's models are loaded. An endpoint that is down would else take out every replica."""
        return self._models.ready()

    def records(self) -> dict[ModelName, ModelRecord]:
        """All of them as they stand now."""
        return {**self._models.records(), **self._endpoints.records()}

    def states(self) -> dict[str, str]:
        """How each of them stands, by `m/v`."""
        return {f"{name.model}/{name.version}": record.state.value for name, record in self.records().items()}

    def find(self, pattern: ModelPattern) -> ModelRecord | None:
        """The version asked for, or else the highest."""
        records = self.records()
        names = [name for name in records if pattern.matches(name)]
        return records[max(names)] if names else None

    def by_digest(self, digest: str) -> OnnxModel | None:
        """A loaded model of this process with this content."""
        return self._models.by_digest(digest)

    def is_served(self, pattern: ModelPattern) -> bool:
        """Whether another server runs it."""
        record = self.find(pattern)
        return record is not None and record.source is ModelSource.ENDPOINT
