"""The operator's endpoints: `<root>/<name>/<version>/endpoint.toml` in the model repository, with a `schema.json`.

One thread reads files that change, so that changes take effect soon, even if an endpoint does not respond. One thread
for each endpoint requests its description periodically, and retries while it is down. Errors here neither stop the
server nor affect other models.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from sequela.adapters.endpoints.endpoint_file import read_endpoint
from sequela.adapters.endpoints.registry import EndpointRegistry
from sequela.adapters.endpoints.remote_model import RemoteModelSource, describe_endpoint
from sequela.adapters.endpoints.remote_model_handle import RemoteModelHandle
from sequela.adapters.repository.bounded_files import read_bounded
from sequela.adapters.repository.model_folders import ENDPOINT_FILE, SCHEMA_FILE, ModelFolder
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import DoesNotFit, Overloaded, SequelaError, Unavailable
from sequela.explain.limits import Limits
from sequela.explain.ports import ModelRecord, ModelSource, ModelState, RemoteModel
from sequela.names import ModelName

MAX_ENDPOINT_BYTES = 1 << 20
"""The largest endpoint.toml."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _FolderContent:
    """The files of a folder."""

    endpoint: bytes
    schema_json: bytes


class ConfiguredEndpoint:
    """The endpoint of one folder. `record` is its current state. One thread calls `read`, another one `refresh`."""

    def __init__(self, folder: ModelFolder, registry: EndpointRegistry, limits: Limits) -> None:
        self.record = ModelRecord(
            folder.name.full, "", ModelSource.ENDPOINT, ModelState.LOADING, datetime.now(UTC)
        )
        self.name = folder.name
        self._folder, self._registry, self._limits = folder, registry, limits
        self._content: _FolderContent | None = None
        self._refused: _FolderContent | None = None
        self._handle: RemoteModelHandle | None = None
        self._due = 0.0
        self._failures = 0
        self._refusal = ""

    def read(self) -> None:
        """Reads the files and applies them if they changed."""
        with self._errors_recorded():
            try:
                content = _read(self._folder, self._limits)
                if (content != self._content or self._refused) and (handle := self._reopen(content)):
                    self._handle, self._content, self._refused, self._due = handle, content, None, 0.0
            except Exception:
                self._content = self._refused = None
                raise

    def refresh(self) -> None:
        """Requests the endpoint's description if it is due."""
        handle = self._described()
        if handle is None or (Deadline.now() < self._due and not handle.doubtful):
            return
        # Refresh well before the description expires, so that no request has to wait for a new one.
        self._due = Deadline.now() + self._registry.rules.ttl_seconds / 2
        with self._errors_recorded():
            terms = handle.connection.limiter.terms
            model = handle.refresh(Deadline.now() + terms.call_seconds)
            # The files may have changed while the request was under way, and its answer would be about another model.
            if handle is self._described():
                self._failures = 0
                self._note_model(model, terms.enabled)

    def _described(self) -> RemoteModelHandle | None:
        """Returns the model that the files describe, or None while they are missing or wrong."""
        return self._handle if self._content else None

    @contextmanager
    def _errors_recorded(self) -> Iterator[None]:
        """Turns every error into a state of the record."""
        try:
            yield
        except (Unavailable, Overloaded, DeadlinePassed) as error:
            self._note_unreachable(error)
        except DoesNotFit as error:
            self._note_refusal(error)
        except SequelaError as error:
            self._note_failed(error.message)
        except OSError as error:
            self._note_failed(f"its files cannot be read: {error.strerror}")
        except Exception as error:  # a bug that shows with one endpoint must not stop the others
            _log.exception("endpoint watcher crashed", model=self._folder.name.full)
            self._note_failed(f"unexpected {type(error).__name__}; see the server's log")

    def _reopen(self, content: _FolderContent) -> RemoteModelHandle | None:
        """Opens the model that changed files describe.

        Returns None if the files are invalid and an earlier model exists, which then stays in use. The mistake may be
        in another endpoint's file, so this one is tried again the next time.
        """
        try:
            handle = self._open(content)
        except SequelaError as error:
            if self.record.info is None:
                raise
            if content != self._refused:
                _log.error("endpoint file refused", model=self._folder.name.full, detail=error.message)
            self._refused = content
            self._refusal = f"its changed file is invalid, so the earlier one stays in use: {error.message}"
            return None
        self._refusal = ""
        return handle

    def _open(self, content: _FolderContent) -> RemoteModelHandle:
        name, rules = self._folder.name, self._registry.rules
        place = f"{name.model}/{name.version}"
        endpoint_path, schema_path = f"{place}/{ENDPOINT_FILE}", f"{place}/{SCHEMA_FILE}"
        file = read_endpoint(content.endpoint, self._folder.path, endpoint_path, rules.terms)
        source = RemoteModelSource(
            str(file.uri), file.version, file.revision, content.schema_json, endpoint_path, schema_path
        )
        connection = self._registry.configure(name, file)
        return RemoteModelHandle(name.full, source, connection, self._limits, rules.ttl_seconds)

    def _note_model(self, model: RemoteModel, enabled: bool) -> None:
        self._set_record(
            replace(
                self.record,
                state=ModelState.READY if enabled else ModelState.FAILED,
                detail=self._refusal if enabled else "switched off",
                digest=model.info.digest,
                execution=describe_endpoint(model.endpoint.info),
                info=model.info,
                endpoint=model.endpoint,
            )
        )

    def _note_unreachable(self, error: Exception) -> None:
        """Records a failed request. A known model stays ready after the first one, because its calls are retried."""
        detail = str(error) or "it did not describe its model in time"
        self._due = Deadline.now() + self._registry.rules.retry_seconds
        # An endpoint that is overloaded or slow is not down, so only an unreachable one counts.
        self._failures += isinstance(error, Unavailable)
        state = self.record.state
        if self.record.info is None or self._failures > 1:
            state = ModelState.LOADING
        self._set_record(replace(self.record, state=state, detail=detail))

    def _note_refusal(self, error: DoesNotFit) -> None:
        """Records a refusal. A refused call does not change a known model's state, but a description that does not
        fit does.
        """
        if error.reason == "ENDPOINT_REFUSED" and self.record.info is not None:
            self._set_record(replace(self.record, detail=error.message))
        else:
            self._note_failed(error.message)

    def _note_failed(self, detail: str) -> None:
        # Requests must not share the credentials of a file that was never valid.
        if self._handle is None:
            self._registry.forget(self._folder.name)
        failed = ModelRecord(
            self.record.name,
            "",
            ModelSource.ENDPOINT,
            ModelState.FAILED,
            self.record.create_time,
            detail,
        )
        self._set_record(failed)

    def _set_record(self, record: ModelRecord) -> None:
        if (record.state, record.detail) != (self.record.state, self.record.detail):
            log = _log.info if record.state is ModelState.READY else _log.warning
            log("endpoint", model=record.name, state=record.state.value, detail=record.detail)
        self.record = record


class ConfiguredEndpoints:
    """All endpoints of the model repository. `start` begins to watch them, in separate threads."""

    def __init__(self, folders: Iterable[ModelFolder], registry: EndpointRegistry, limits: Limits) -> None:
        self._registry, self._limits = registry, limits
        self._endpoints = {folder.name: ConfiguredEndpoint(folder, registry, limits) for folder in folders}
        self._interval_seconds = registry.rules.retry_seconds
        self._stopping = threading.Event()
        self._files: threading.Thread | None = None

    def start(self) -> None:
        """Reads all files once, and starts the threads."""
        for endpoint in tuple(self._endpoints.values()):
            self._watch(endpoint)

    def stop(self) -> None:
        """Lets the threads end."""
        self._stopping.set()

    def update(self, folders: Iterable[ModelFolder], unsettled: Set[ModelName]) -> None:
        """Begins to watch endpoints that were added, and no longer offers those whose folders are gone.

        Args:
            folders: The folders that are there.
            unsettled: The names of folders that are just being changed. Their endpoints stay.
        """
        found = {folder.name: folder for folder in folders}
        for name in self._endpoints.keys() - found.keys() - unsettled:
            self._replace({key: each for key, each in self._endpoints.items() if key != name})
            self._registry.forget(name)
            _log.info("model removed", model=name.full)
        for name in sorted(found.keys() - self._endpoints.keys()):
            endpoint = ConfiguredEndpoint(found[name], self._registry, self._limits)
            self._replace({**self._endpoints, name: endpoint})
            self._watch(endpoint)

    def records(self) -> dict[ModelName, ModelRecord]:
        """Returns the current state of each endpoint."""
        return {name: endpoint.record for name, endpoint in self._endpoints.items()}

    def _replace(self, endpoints: dict[ModelName, ConfiguredEndpoint]) -> None:
        # A new mapping, since other threads read the present one.
        self._endpoints = endpoints

    def _watch(self, endpoint: ConfiguredEndpoint) -> None:
        endpoint.read()
        if self._files is None:
            self._files = self._repeat("endpoint-files", self._read_all)
        self._repeat("endpoint-models", endpoint.refresh, lambda: self._has(endpoint))

    def _read_all(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.read()
            # One that was removed meanwhile must leave nothing behind.
            if not self._has(endpoint):
                self._registry.forget(endpoint.name)

    def _has(self, endpoint: ConfiguredEndpoint) -> bool:
        return self._endpoints.get(endpoint.name) is endpoint

    def _repeat(
        self, name: str, step: Callable[[], None], wanted: Callable[[], bool] = lambda: True
    ) -> threading.Thread:
        """Repeats a step in a separate thread, as long as it is wanted."""

        def loop() -> None:
            while wanted() and not self._stopping.is_set():
                step()
                self._stopping.wait(self._interval_seconds)

        thread = threading.Thread(target=loop, name=name, daemon=True)
        thread.start()
        return thread


def _read(folder: ModelFolder, limits: Limits) -> _FolderContent:
    schema, place = folder.path / SCHEMA_FILE, f"{folder.name.model}/{folder.name.version}"
    endpoint = read_bounded(folder.path / ENDPOINT_FILE, MAX_ENDPOINT_BYTES, f"{place}/{ENDPOINT_FILE}")
    if not schema.exists():
        return _FolderContent(endpoint, b"")
    return _FolderContent(endpoint, read_bounded(schema, limits.max_schema_bytes, f"{place}/{SCHEMA_FILE}"))
