"""The operator's endpoints: `<root>/<name>/<version>/endpoint.toml` in the model repository, a `schema.json` beside it.

A thread reads the files that change, so that the switch and the terms hold soon, whatever an endpoint does. Another one
for each endpoint asks it anew what it serves, and tries again where it is down. None of it stops the server or any
other model.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from sequela.adapters.endpoints.endpoint_file import read_endpoint
from sequela.adapters.endpoints.registry import EndpointRegistry
from sequela.adapters.endpoints.remote_model import ServedModel, Source
from sequela.adapters.endpoints.remote_model_handle import RemoteModelHandle
from sequela.adapters.repository.model_folders import ENDPOINT_FILE, SCHEMA_FILE, ModelFolder
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import DoesNotFit, Overloaded, SequelaError, Unavailable
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelRecord, ModelSource, ModelState
from sequela.names import ModelName

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Files:
    """The content of a folder."""

    endpoint: bytes
    schema_json: bytes


class ConfiguredEndpoint:
    """One folder's endpoint; `record` is how it stands. One thread reads, one asks."""

    def __init__(self, folder: ModelFolder, switchboard: EndpointRegistry, limits: Limits) -> None:
        self.record = ModelRecord(
            folder.name.full, "", ModelSource.ENDPOINT, ModelState.LOADING, datetime.now(UTC)
        )
        self._folder, self._switchboard, self._limits = folder, switchboard, limits
        self._files: _Files | None = None
        self._refused: _Files | None = None
        self._serving: RemoteModelHandle | None = None
        self._due = 0.0
        self._misses = 0
        self._refusal = ""

    def read(self) -> None:
        """Reads the files where they changed."""
        with self._told():
            files = _read(self._folder.path)
            if (files != self._files or self._refused) and (fresh := self._opened_anew(files)):
                self._serving, self._files, self._refused, self._due = fresh, files, None, 0.0

    def ask(self) -> None:
        """Asks the endpoint what it serves, where that is due."""
        serving = self._serving
        if serving is None or (Deadline.now() < self._due and not serving.doubtful):
            return
        # Well before what was heard is over, so that no request has to wait for it.
        self._due = Deadline.now() + self._switchboard.rules.ttl / 2
        with self._told():
            terms = serving.line.traffic.terms
            model = serving.refresh(Deadline.now() + terms.call_seconds)
            if serving is self._serving:
                self._misses = 0
                self._describes(model, terms.enabled)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever goes wrong becomes the record's state."""
        try:
            yield
        except (Unavailable, Overloaded, DeadlinePassed) as error:
            self._unreached(error)
        except DoesNotFit as error:
            self._refuses(error)
        except SequelaError as error:
            self._failed(error.message)
        except OSError as error:
            self._failed(f"cannot be read: {error.strerror}")
        except Exception as error:  # whatever one endpoint does, the others are looked after
            _log.exception("endpoint_crashed", model=self._folder.name.full)
            self._failed(f"{type(error).__name__} while it was looked at")

    def _opened_anew(self, files: _Files) -> RemoteModelHandle | None:
        """A mistake in a file that changed changes nothing that works: None then. It may be in another file, so that
        this one is read again.
        """
        try:
            opened = self._opened(files)
        except SequelaError as error:
            if self.record.model is None:
                raise
            if files != self._refused:
                _log.error("endpoint_file_refused", model=self._folder.name.full, detail=error.message)
            self._refused, self._refusal = files, f"its newer file is refused: {error.message}"
            return None
        self._refusal = ""
        return opened

    def _opened(self, files: _Files) -> RemoteModelHandle:
        name, rules = self._folder.name, self._switchboard.rules
        place = f"{name.model}/{name.version}"
        endpoint_path, schema_path = f"{place}/{ENDPOINT_FILE}", f"{place}/{SCHEMA_FILE}"
        file = read_endpoint(files.endpoint, self._folder.path, endpoint_path, rules.terms)
        source = Source(
            str(file.uri), file.version, file.revision, files.schema_json, endpoint_path, schema_path
        )
        line = self._switchboard.own(name, file)
        return RemoteModelHandle(name.full, source, line, self._limits, rules.ttl)

    def _describes(self, model: ServedModel, enabled: bool) -> None:
        self._stands(
            replace(
                self.record,
                state=ModelState.READY if enabled else ModelState.FAILED,
                detail=self._refusal if enabled else "switched off",
                digest=model.info.digest,
                execution=model.execution,
                model=model,
            )
        )

    def _unreached(self, error: Exception) -> None:
        """A model that was there stays, unless it cannot be reached again: its calls have attempts of their own."""
        detail = str(error) or "it does not say in time what it serves"
        self._due = Deadline.now() + self._switchboard.rules.rest
        self._misses += isinstance(error, Unavailable)
        state = ModelState.LOADING if self.record.model is None or self._misses > 1 else self.record.state
        self._stands(replace(self.record, state=state, detail=detail))

    def _refuses(self, error: DoesNotFit) -> None:
        """It says no, which tells nothing about a model that was there; or something that does not fit."""
        if error.reason == "ENDPOINT_REFUSED" and self.record.model is not None:
            self._stands(replace(self.record, detail=error.message))
        else:
            self._failed(error.message)

    def _failed(self, detail: str) -> None:
        if self._serving is None:
            self._switchboard.disown(self._folder.name)
        failed = ModelRecord(
            self.record.name,
            "",
            ModelSource.ENDPOINT,
            ModelState.FAILED,
            self.record.create_time,
            detail,
        )
        self._stands(failed)

    def _stands(self, record: ModelRecord) -> None:
        if (record.state, record.detail) != (self.record.state, self.record.detail):
            tell = _log.info if record.state is ModelState.READY else _log.warning
            tell("endpoint", model=record.name, state=record.state.value, detail=record.detail)
        self.record = record


class ConfiguredEndpoints:
    """All of them. `start` begins looking after them, in threads of their own."""

    def __init__(self, folders: Sequence[ModelFolder], switchboard: EndpointRegistry, limits: Limits) -> None:
        self._endpoints = {folder.name: ConfiguredEndpoint(folder, switchboard, limits) for folder in folders}
        self._rest = switchboard.rules.rest
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begins, where there are any."""
        endpoints = self._endpoints.values()
        for endpoint in endpoints:
            endpoint.read()
            self._every_while("endpoint-models", [endpoint.ask])
        if endpoints:
            self._every_while("endpoint-files", [endpoint.read for endpoint in endpoints])

    def stop(self) -> None:
        """Looks no more."""
        self._stopping.set()

    def records(self) -> dict[ModelName, ModelRecord]:
        """All of them as they stand now."""
        return {name: endpoint.record for name, endpoint in self._endpoints.items()}

    def _every_while(self, name: str, steps: Sequence[Callable[[], None]]) -> None:
        """Takes these steps again and again, in a thread of its own."""

        def go_on() -> None:
            while not self._stopping.is_set():
                for step in steps:
                    step()
                self._stopping.wait(self._rest)

        threading.Thread(target=go_on, name=name, daemon=True).start()


def _read(path: Path) -> _Files:
    schema = path / SCHEMA_FILE
    return _Files((path / ENDPOINT_FILE).read_bytes(), schema.read_bytes() if schema.exists() else b"")
