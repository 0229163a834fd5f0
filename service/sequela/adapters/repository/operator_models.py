"""The operator's models by name, those of this process and those served elsewhere alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from sequela.adapters.endpoints.configured_endpoints import ConfiguredEndpoints
from sequela.adapters.endpoints.registry import Switchboard
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.repository.configured_models import ConfiguredModels
from sequela.adapters.repository.model_folders import find_folders
from sequela.adapters.repository.unread_files import repository_notes
from sequela.explain.ports import ModelRecord, ModelSource, ModelState
from sequela.names import ModelName, ModelPattern

_log = structlog.get_logger(__name__)


class OperatorsModels:
    """Both kinds as one."""

    def __init__(
        self, models: ConfiguredModels, endpoints: ConfiguredEndpoints, passed_over: Sequence[str] = ()
    ) -> None:
        self._models, self._endpoints, self._passed_over = models, endpoints, passed_over

    @classmethod
    def in_folder(cls, root: Path | None, loader: Loader, switchboard: Switchboard) -> OperatorsModels:
        """Those of a model repository; none without one. Raises OSError where it cannot be read."""
        folders = find_folders(root) if root else []
        served = [folder for folder in folders if folder.is_endpoint]
        own = [folder for folder in folders if not folder.is_endpoint]
        return cls(
            ConfiguredModels(own, loader),
            ConfiguredEndpoints(served, switchboard, loader.limits),
            repository_notes(root) if root else (),
        )

    def start(self) -> None:
        """Begins to load the ones and to look after the others; the log says what is passed over."""
        for note in self._passed_over:
            _log.warning("model_repository", note=note)
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

    def unready(self) -> list[ModelRecord]:
        """Models of this process that are loading or have failed."""
        return _unready(self._models.records())

    def notes(self) -> list[str]:
        """What does not keep the server from being ready, and should be known: endpoints that are not there, and what
        is passed over in the repository.
        """
        waiting = _unready(self._endpoints.records())
        return [
            *(f"{record.told} (an endpoint does not hold the server back)" for record in waiting),
            *(f"model repository: {note}" for note in self._passed_over),
        ]

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

    def is_remote(self, pattern: ModelPattern) -> bool:
        """Whether another server runs it."""
        record = self.find(pattern)
        return record is not None and record.source is ModelSource.ENDPOINT


def _unready(records: Mapping[ModelName, ModelRecord]) -> list[ModelRecord]:
    return [records[name] for name in sorted(records) if records[name].state is not ModelState.READY]
