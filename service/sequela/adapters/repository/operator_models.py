"""The operator's models: those that run in this process, and those behind endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from sequela.adapters.endpoints.registry import EndpointRegistry
from sequela.adapters.repository.configured_endpoints import ConfiguredEndpoints
from sequela.adapters.repository.layout_warnings import layout_warnings
from sequela.adapters.repository.loaded_model import LoadedModel, ModelLoader
from sequela.adapters.repository.local_models import LocalModels, ModelRunners
from sequela.adapters.repository.model_folders import find_folders
from sequela.explain.ports import ModelRecord, ModelState
from sequela.names import ModelName, ModelPattern

_log = structlog.get_logger(__name__)


class OperatorModels:
    """All models of a model repository by name.

    Args:
        models: Those that run in this process.
        endpoints: Those behind endpoints.
        warnings: What is wrong with the layout of the repository, one sentence each.
    """

    def __init__(
        self, models: LocalModels, endpoints: ConfiguredEndpoints, warnings: Sequence[str] = ()
    ) -> None:
        self._models, self._endpoints, self._warnings = models, endpoints, warnings

    @classmethod
    def in_folder(
        cls,
        root: Path | None,
        loader: ModelLoader,
        endpoint_registry: EndpointRegistry,
        runners: ModelRunners | None = None,
    ) -> OperatorModels:
        """Finds the models of a repository. Without one, there are none. Raises OSError if it cannot be read."""
        folders = find_folders(root) if root else []
        remote = [folder for folder in folders if folder.is_endpoint]
        local = [folder for folder in folders if not folder.is_endpoint]
        return cls(
            LocalModels(local, loader, runners),
            ConfiguredEndpoints(remote, endpoint_registry, loader.limits),
            layout_warnings(root) if root else (),
        )

    def start(self) -> None:
        """Starts loading models and watching endpoints, and logs the warnings."""
        for warning in self._warnings:
            _log.warning("file in model repository ignored", detail=warning)
        self._models.start()
        self._endpoints.start()

    def wait(self) -> None:
        """Waits until every model that runs in this process is loaded or has failed."""
        self._models.wait()

    def stop(self) -> None:
        """Stops loading models and watching endpoints."""
        self._models.stop()
        self._endpoints.stop()

    def ready(self) -> bool:
        """Returns whether all models that run in this process are loaded.

        Endpoints do not count: one that is down would make every replica unready.
        """
        return self._models.ready()

    def unready(self) -> list[ModelRecord]:
        """Returns the models of this process that are loading or have failed."""
        return _unready(self._models.records())

    def notes(self) -> list[str]:
        """Returns what operators should know although the server is ready: endpoints that are down, and warnings."""
        down = _unready(self._endpoints.records())
        return [
            *(f"{record.summary} (the server is ready without endpoints)" for record in down),
            *(f"model repository: {warning}" for warning in self._warnings),
        ]

    def records(self) -> dict[ModelName, ModelRecord]:
        """Returns the records of all models in their present state."""
        return {**self._models.records(), **self._endpoints.records()}

    def states(self) -> dict[str, str]:
        """Returns the state of each model by `m/v`, for metrics."""
        return {f"{name.model}/{name.version}": record.state.value for name, record in self.records().items()}

    def find(self, pattern: ModelPattern) -> ModelRecord | None:
        """Returns the version that the pattern names, or the highest one."""
        records = self.records()
        names = [name for name in records if pattern.matches(name)]
        return records[max(names)] if names else None

    def by_digest(self, digest: str) -> LoadedModel | None:
        """Returns a loaded model of this process with this digest, or None."""
        return self._models.by_digest(digest)

    def by_name(self, name: str) -> LoadedModel | None:
        """Returns the loaded model of this process with this name, `models/m/versions/v`, or None."""
        return self._models.by_name(name)

    def with_digest(self, digest: str) -> ModelRecord | None:
        """Returns the record of a loaded model of this process with this digest, or None."""
        records = self._models.records().values()
        return next((record for record in records if record.info and record.digest == digest), None)


def _unready(records: Mapping[ModelName, ModelRecord]) -> list[ModelRecord]:
    return [records[name] for name in sorted(records) if records[name].state is not ModelState.READY]
