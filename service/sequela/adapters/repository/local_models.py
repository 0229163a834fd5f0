"""The operator's models that run in this process: `<root>/<name>/<version>/model.onnx`, with an optional `schema.json`.

They are loaded in the background. A model that fails to load keeps the reason, and does not affect the others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from sequela.adapters.repository.loaded_model import LoadedModel, ModelLoader
from sequela.adapters.repository.model_files import read_model
from sequela.adapters.repository.model_folders import ModelFolder
from sequela.errors import SequelaError
from sequela.explain.ports import ModelRecord, ModelSource, ModelState
from sequela.names import ModelName

MAX_AT_ONCE = 4
"""How many models are loaded at a time, so that a slow one does not hold up those behind it."""

_log = structlog.get_logger(__name__)


class ModelRunners(Protocol):
    """What runs the models after they were loaded: this process, or engines. `here` says which."""

    @property
    def here(self) -> bool:
        """Whether the loaded models themselves are run."""

    @property
    def count(self) -> int:
        """How many engines run the models; 0 if this process runs them."""

    def start(self, models: Mapping[ModelFolder, ModelRecord]) -> None:
        """Starts with the models that were loaded; those that failed are not among them."""

    def ready(self) -> bool:
        """Returns whether requests can be answered."""


class OwnProcess:
    """Implements `ModelRunners` for models that run in this process."""

    here = True
    count = 0

    def start(self, models: Mapping[ModelFolder, ModelRecord]) -> None:
        """See `ModelRunners`."""

    def ready(self) -> bool:
        """See `ModelRunners`."""
        return True


class LocalModels:
    """Loads the models of some folders, and keeps their records by name.

    Args:
        folders: The folders.
        loader: Loads a model.
        runners: What runs the models.
    """

    def __init__(
        self, folders: Sequence[ModelFolder], loader: ModelLoader, runners: ModelRunners | None = None
    ) -> None:
        self._loader = loader
        self._runners = runners or OwnProcess()
        self._folders = folders
        self._lock = threading.Lock()
        self._records = {folder.name: _loading_record(folder.name) for folder in self._folders}
        self._models: dict[str, LoadedModel] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._load_all, name="load-models", daemon=True)

    def start(self) -> None:
        """Starts loading, in a thread."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until every model is loaded or has failed, but not longer than `seconds`."""
        self._thread.join(seconds)

    def stop(self) -> None:
        """Stops after the model that is being loaded."""
        self._stopping.set()

    def ready(self) -> bool:
        """Returns whether every model is loaded and can be run. One that failed keeps the server from being ready."""
        loaded = all(record.state is ModelState.READY for record in self.records().values())
        return loaded and self._runners.ready()

    def records(self) -> dict[ModelName, ModelRecord]:
        """Returns the records in their present state."""
        with self._lock:
            return dict(self._records)

    def by_digest(self, digest: str) -> LoadedModel | None:
        """Returns a loaded model with this digest, or None, also if it runs in engines."""
        models = (self.by_name(record.name) for record in self.records().values() if record.digest == digest)
        return next((model for model in models if model), None)

    def by_name(self, name: str) -> LoadedModel | None:
        """Returns the loaded model with this name, `models/m/versions/v`, or None, also if it runs in engines."""
        with self._lock:
            return self._models.get(name)

    def _load_all(self) -> None:
        waiting = deque(self._folders)
        loaders = [
            threading.Thread(target=self._load_each, args=[waiting], name="load-model", daemon=True)
            for _ in range(min(MAX_AT_ONCE, len(waiting)))
        ]
        for loader in loaders:
            loader.start()
        for loader in loaders:
            loader.join()
        if self._stopping.is_set():
            return
        records = self.records()
        self._runners.start(
            {folder: records[folder.name] for folder in self._folders if records[folder.name].info}
        )

    def _load_each(self, waiting: deque[ModelFolder]) -> None:
        """Loads folders until none are left. A slow model occupies one of several threads that do this."""
        # Loading a model cannot be interrupted, so the request to stop is noticed between two models.
        while not self._stopping.is_set():
            try:
                folder = waiting.popleft()
            except IndexError:
                return
            record = self._load(folder)
            with self._lock:
                self._records[folder.name] = record

    def _load(self, folder: ModelFolder) -> ModelRecord:
        loading = _loading_record(folder.name)
        try:
            model = self._loader.load(folder.name.full, read_model(folder.path, self._loader.limits))
        except SequelaError as error:
            return _failed_record(loading, error.message)
        except OSError as error:
            return _failed_record(loading, f"its files cannot be read: {error.strerror}")
        except Exception as error:  # a bug that one model reveals must not stop the others
            _log.exception("model loading crashed", model=folder.name.full)
            return _failed_record(
                loading, f"loading it raised {type(error).__name__}; the log has the details"
            )
        execution, engines = model.execution, self._runners.count
        _log.info(
            "model loaded",
            model=folder.name.full,
            digest=model.info.digest,
            execution=execution,
            engines=engines,
        )
        if self._runners.here:
            with self._lock:
                self._models[model.info.name] = model
        return replace(
            loading,
            state=ModelState.READY,
            digest=model.info.digest,
            execution=execution,
            info=model.info,
        )


def _loading_record(name: ModelName) -> ModelRecord:
    return ModelRecord(name.full, "", ModelSource.REPOSITORY, ModelState.LOADING, datetime.now(UTC))


def _failed_record(loading: ModelRecord, detail: str) -> ModelRecord:
    _log.error("model failed to load", model=loading.name, detail=detail)
    return replace(loading, state=ModelState.FAILED, detail=detail)
