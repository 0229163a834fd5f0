"""The operator's models: those that run on this machine, and those behind endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from sequela.adapters.endpoints.registry import EndpointRegistry
from sequela.adapters.repository.configured_endpoints import ConfiguredEndpoints
from sequela.adapters.repository.loaded_model import LoadedModel, ModelLoader
from sequela.adapters.repository.local_models import LocalModels
from sequela.adapters.repository.model_runners import ModelRunners
from sequela.adapters.repository.repository_content import RepositoryContent
from sequela.adapters.repository.repository_watch import RepositoryWatch
from sequela.explain.ports import ModelRecord, ModelState
from sequela.names import ModelName, ModelPattern

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RepositoryRules:
    """How the model repository is used.

    Attributes:
        interval_seconds: The time between two readings while the server runs; 0 to read it only once.
        all_required: Whether one model that fails to load, or a repository without any, keeps the server from being
            ready for the first time.
    """

    interval_seconds: float = 0.0
    all_required: bool = True


class OperatorModels:
    """All models of a model repository by name.

    Args:
        models: Those that run on this machine.
        endpoints: Those behind endpoints.
        first: What the repository contains.
        rules: How it is used.
    """

    def __init__(
        self,
        models: LocalModels,
        endpoints: ConfiguredEndpoints,
        first: RepositoryContent,
        rules: RepositoryRules,
    ) -> None:
        self._models, self._endpoints = models, endpoints
        self._warnings = first.warnings
        self._rules = rules
        self._watch: RepositoryWatch | None = None
        self._was_ready = self._was_tried = False
        self._has_folder = False

    @classmethod
    def in_folder(
        cls,
        root: Path | None,
        loader: ModelLoader,
        endpoint_registry: EndpointRegistry,
        runners: ModelRunners | None = None,
        rules: RepositoryRules | None = None,
    ) -> OperatorModels:
        """Finds the models of a repository. Without one, there are none. Raises OSError if it cannot be read."""
        first = RepositoryContent.of(root) if root else RepositoryContent()
        found = cls(
            LocalModels(first.local, loader, runners),
            ConfiguredEndpoints(first.remote, endpoint_registry, loader.limits),
            first,
            rules or RepositoryRules(),
        )
        found._has_folder = root is not None
        if root and found._rules.interval_seconds:
            found._watch = RepositoryWatch(root, first, found._rules.interval_seconds, found.update)
        return found

    def start(self) -> None:
        """Starts loading models and watching endpoints and the repository, and logs the warnings."""
        _log_warnings(self._warnings)
        if self.lacks_models():
            _log.warning("model repository empty", detail="the server is not ready until it has a model")
        self._models.start()
        self._endpoints.start()
        if self._watch:
            self._watch.start()

    def wait(self) -> None:
        """Waits until every model with which the server started is loaded or has failed."""
        self._models.wait()

    def stop(self) -> None:
        """Stops loading models and watching endpoints and the repository."""
        if self._watch:
            self._watch.stop()
        self._models.stop()
        self._endpoints.stop()

    def update(self, reading: RepositoryContent) -> None:
        """Adds, replaces and removes models, as the repository was changed."""
        _log_warnings(each for each in reading.warnings if each not in self._warnings)
        self._warnings = reading.warnings
        # A folder may have changed its kind, so both kinds are updated with what is gone before one adds it.
        self._endpoints.update(reading.remote, reading.unsettled)
        self._models.update(reading.local, reading.unsettled)

    def ready(self) -> bool:
        """Returns whether requests can be answered.

        The server is ready for the first time when all models of this machine are loaded or, if not all are required,
        when all have been tried and one can be used. If all are required, there must be one. After that, models do not
        count: one that was added and is broken would make every replica unready. Endpoints never count, for the same
        reason.
        """
        self._was_ready = self._was_ready or self._loaded()
        return self._was_ready and self._models.runs()

    def lacks_models(self) -> bool:
        """Returns whether all models of the repository are required, but it has none.

        A volume that is not mounted looks like an empty folder, and such a server would refuse every request.
        """
        return self._has_folder and self._rules.all_required and not self.records()

    def unready(self) -> list[ModelRecord]:
        """Returns the models of this machine that are loading or have failed."""
        return _unready(self._models.records())

    def notes(self) -> list[str]:
        """Returns what operators should know although the server is ready: endpoints that are down, and warnings."""
        down = _unready(self._endpoints.records())
        problems = [*self._warnings, *([self._watch.problem] if self._watch and self._watch.problem else ())]
        return [
            *(f"{record.summary} (the server is ready without endpoints)" for record in down),
            *self._models.problems(),
            *(f"model repository: {problem}" for problem in problems),
        ]

    def records(self) -> dict[ModelName, ModelRecord]:
        """Returns the records of all models in their present state."""
        return {**self._models.records(), **self._endpoints.records()}

    def states(self) -> dict[str, str]:
        """Returns the state of each model by `m/v`, for metrics."""
        return {name.short: record.state.value for name, record in self.records().items()}

    def absences(self) -> dict[str, bool]:
        """Returns for each model, by `m/v`, whether an engine did not have it in the last minute, for metrics."""
        return {name.short: absent for name, absent in self._models.absences().items()}

    def find(self, pattern: ModelPattern) -> ModelRecord | None:
        """Returns the version that the pattern names, or the highest one.

        A version that was added and is being loaded, or has failed, does not take the place of one that can be used.
        """
        records = self.records()
        names = [name for name in records if pattern.matches(name)]
        self._was_tried = self._was_tried or self._models.tried()
        usable = [name for name in names if self._counts(records[name])]
        return records[max(usable or names)] if names else None

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

    def _counts(self, record: ModelRecord) -> bool:
        """Returns whether a version may be the highest one. When the server starts, one that is loading may be."""
        loading = record.state is ModelState.LOADING and not self._was_tried
        # An endpoint that is down keeps its description, so that no earlier version takes its place meanwhile.
        return loading or record.info is not None

    def _loaded(self) -> bool:
        states = [record.state for record in self._models.records().values()]
        if ModelState.LOADING in states or self.lacks_models():
            return False
        if self._rules.all_required:
            return ModelState.FAILED not in states
        return ModelState.READY in states or not states


def _log_warnings(warnings: Iterable[str]) -> None:
    for warning in warnings:
        _log.warning("file in model repository ignored", detail=warning)


def _unready(records: Mapping[ModelName, ModelRecord]) -> list[ModelRecord]:
    return [records[name] for name in sorted(records) if records[name].state is not ModelState.READY]
