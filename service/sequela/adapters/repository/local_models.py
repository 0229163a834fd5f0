"""The operator's models that run on this machine: `<root>/<name>/<version>/model.onnx`, with an optional `schema.json`.

They are loaded in the background, when the server starts and whenever a folder is added or changes. A model that fails
to load keeps the reason, and does not affect the others. An earlier model stays in use if its changed files fail.
"""

from __future__ import annotations

import gc
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence, Set

import structlog

from sequela.adapters.repository.folder_trial import RETRY_SECONDS, FolderTrial
from sequela.adapters.repository.loaded_model import LoadedModel, ModelLoader
from sequela.adapters.repository.model_entry import LeavingModel, ModelEntry
from sequela.adapters.repository.model_folders import Fingerprint, ModelFolder
from sequela.adapters.repository.model_runners import ModelRunners, OwnProcess, VersionFolder
from sequela.errors import Unavailable
from sequela.explain.ports import ModelRecord, ModelState
from sequela.names import ModelName

MAX_AT_ONCE = 4
"""How many models are loaded at a time, so that a slow one does not hold up those behind it."""

COLLECT_SECONDS = 60.0
"""How often, in seconds, Python's garbage is collected while a model that is no longer offered seems to be in use."""

ABSENT = (
    "a process that runs models could not load it in the last minute; the log says why, and the next request for it "
    "tries again"
)

_log = structlog.get_logger(__name__)


class LocalModels:
    """Loads the models of some folders, and keeps their records by name. Thread-safe.

    Args:
        folders: The folders, with the fingerprints of their files.
        loader: Loads a model.
        runners: What runs the models.
    """

    def __init__(
        self,
        folders: Mapping[ModelFolder, Fingerprint],
        loader: ModelLoader,
        runners: ModelRunners | None = None,
    ) -> None:
        self._runners = runners or OwnProcess()
        self._trial = FolderTrial(loader, self._runners.count)
        self._lock = threading.Lock()
        self._holding = threading.Lock()
        self._loads = threading.Semaphore(MAX_AT_ONCE)
        self._entries = {folder.name: ModelEntry.loading(folder, files) for folder, files in folders.items()}
        self._pending = dict(self._entries)
        self._leaving: list[LeavingModel] = []
        self._collect_at = -math.inf
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._load_first, name="load-models", daemon=True)

    def start(self) -> None:
        """Starts loading, in a thread."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until every model was loaded or has failed, but not longer than `seconds`."""
        self._thread.join(seconds)

    def stop(self) -> None:
        """Stops after the models that are being loaded."""
        self._stopping.set()

    def update(self, folders: Mapping[ModelFolder, Fingerprint], unsettled: Set[ModelName]) -> None:
        """Begins to load new and changed folders, and no longer offers models whose folders are gone.

        Args:
            folders: The folders that are there, with the fingerprints of their files.
            unsettled: The names of folders that are just being changed. What is known of them stays as it is.
        """
        names = {folder.name for folder in folders} | unsettled
        with self._lock:
            for name in [name for name in self._entries if name not in names]:
                self._remove(name)
            fresh = [ModelEntry.loading(*each) for each in folders.items() if self._is_news(*each)]
            for entry in fresh:
                self._expect(entry)
        for entry in fresh:
            threading.Thread(target=self._load_later, args=[entry], name="load-model", daemon=True).start()
        self._let_go()

    def tried(self) -> bool:
        """Returns whether none is being loaded for the first time."""
        return all(record.state is not ModelState.LOADING for record in self.records().values())

    def runs(self) -> bool:
        """Returns whether what runs the models is up."""
        return self._runners.ready()

    def records(self) -> dict[ModelName, ModelRecord]:
        """Returns the records in their present state."""
        with self._lock:
            return {name: entry.record for name, entry in self._entries.items()}

    def problems(self) -> list[str]:
        """Returns a sentence for each model whose changed files are not in use, or that an engine could not load."""
        with self._lock:
            entries = [entry for _, entry in sorted(self._entries.items())]
        return [
            *(f"{entry.record.name}: {entry.problem}" for entry in entries if entry.problem),
            *(f"{name.full}: {ABSENT}" for name, absent in sorted(self.absences().items()) if absent),
        ]

    def absences(self) -> dict[ModelName, bool]:
        """Returns for each model whether an engine did not have it in the last minute. Without engines, it is empty."""
        if self._runners.here:
            return {}
        absent = self._runners.absent()
        return {name: record.digest in absent for name, record in self.records().items()}

    def by_digest(self, digest: str) -> LoadedModel | None:
        """Returns a loaded model with this digest, or None, also if it runs in engines."""
        with self._lock:
            found = [entry.model for entry in self._entries.values() if entry.record.digest == digest]
        return next((model for model in found if model), None)

    def by_name(self, name: str) -> LoadedModel | None:
        """Returns the loaded model with this name, `models/m/versions/v`, or None, also if it runs in engines.

        A request may still use a model that is not offered any more, so those are found too.
        """
        with self._lock:
            models = [entry.model for entry in self._entries.values() if entry.record.name == name]
            models += [each.model for each in self._leaving if each.used and each.version_folder.name == name]
        return next((model for model in models if model), None)

    def _is_news(self, folder: ModelFolder, files: Fingerprint) -> bool:
        known = self._pending.get(folder.name) or self._entries.get(folder.name)
        return known is None or not known.matches(folder, files) or known.retry_at <= time.monotonic()

    def _expect(self, entry: ModelEntry) -> None:
        """Notes that a model is being loaded. The caller holds the lock."""
        if earlier := self._pending.get(entry.name):
            earlier.deadline.cancel()
        self._pending[entry.name] = entry
        current = self._entries.get(entry.name)
        if current is None or current.state is not ModelState.READY:
            self._entries[entry.name] = entry

    def _remove(self, name: ModelName) -> None:
        """Stops offering a model. The caller holds the lock."""
        if pending := self._pending.pop(name, None):
            pending.deadline.cancel()
        self._leave(self._entries.pop(name))
        _log.info("model removed", model=name.full)

    def _leave(self, entry: ModelEntry) -> None:
        if entry.state is ModelState.READY:
            self._leaving.append(LeavingModel.of(entry))

    def _load_first(self) -> None:
        with self._lock:
            waiting = deque(self._pending.values())
        loaded: list[ModelEntry] = []
        loaders = [
            threading.Thread(target=self._load_each, args=[waiting, loaded], name="load-model", daemon=True)
            for _ in range(min(MAX_AT_ONCE, len(waiting)))
        ]
        for loader in loaders:
            loader.start()
        for loader in loaders:
            loader.join()
        if not self._stopping.is_set():
            self._hold(loaded)

    def _load_each(self, waiting: deque[ModelEntry], loaded: list[ModelEntry]) -> None:
        """Loads models until none are left. A slow model occupies one of several threads that do this."""
        # Loading a model cannot be interrupted, so the request to stop is noticed between two models.
        while not self._stopping.is_set():
            try:
                entry = waiting.popleft()
            except IndexError:
                return
            done = self._trial.run(entry)
            # Engines load all models at once; this process can offer each one as soon as it is there.
            if self._runners.here or done.state is ModelState.FAILED:
                self._settle(done)
            else:
                loaded.append(done)

    def _load_later(self, entry: ModelEntry) -> None:
        with self._loads:
            # It may have been removed while it waited.
            if self._stopping.is_set() or entry.deadline.cancelled:
                return
            done = self._trial.run(entry)
        if done.state is ModelState.FAILED:
            self._settle(done)
        else:
            self._hold([done])

    def _hold(self, loaded: Sequence[ModelEntry]) -> None:
        """Lets engines load these models too, and offers those that they have loaded."""
        with self._holding:
            detail, held = "", frozenset[str]()
            try:
                held = self._runners.hold(self._wanted(loaded))
            except Unavailable as error:  # an engine ended: it must not be started with these models again
                detail = error.message
            reason = detail or "the processes that run models could not load it; the log says why"
            # The trial could load it a moment ago, so its files may have been away since.
            retry_seconds = math.inf if detail else RETRY_SECONDS
            done = [
                entry if entry.record.digest in held else self._trial.fail(entry, reason, retry_seconds)
                for entry in loaded
            ]
            offered = [self._settle(entry) and entry.state is ModelState.READY for entry in done]
            if not all(offered):
                # They hold models that nobody can ask for, and would load them again when they start.
                self._runners.hold(self._wanted(()))

    def _wanted(self, loaded: Sequence[ModelEntry]) -> list[VersionFolder]:
        with self._lock:
            ready = [entry for entry in self._entries.values() if entry.state is ModelState.READY]
            leaving = [each.version_folder for each in self._leaving if each.used]
        return [*(entry.version_folder for entry in (*ready, *loaded)), *leaving]

    def _settle(self, done: ModelEntry) -> bool:
        """Replaces what was known of the folder. Returns False if it was removed or changed again meanwhile."""
        with self._lock:
            pending = self._pending.get(done.name)
            if pending is None or pending.deadline is not done.deadline:
                return False
            del self._pending[done.name]
            current = self._entries[done.name]
            if current.state is not ModelState.READY:
                self._entries[done.name] = done
            elif done.state is not ModelState.READY:
                self._entries[done.name] = current.kept(done)
            elif done.record.digest == current.record.digest:
                self._entries[done.name] = current.touched(done)
            else:
                self._entries[done.name] = done
                self._leave(current)
            return True

    def _let_go(self) -> None:
        """Drops models that no request uses any more."""
        self._collect()
        with self._lock:
            used = [each for each in self._leaving if each.used]
            changed = len(used) < len(self._leaving)
            self._leaving = used
        if changed:
            # Engines drop it when they are free, which may take a while.
            threading.Thread(target=self._hold, args=[()], name="drop-models", daemon=True).start()

    def _collect(self) -> None:
        """Frees requests that have ended but to which errors still refer, in reference cycles."""
        if self._leaving and time.monotonic() >= self._collect_at:
            gc.collect()
            self._collect_at = time.monotonic() + COLLECT_SECONDS
