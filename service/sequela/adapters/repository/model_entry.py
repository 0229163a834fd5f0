"""What the server knows of one version folder, and what remains of a model that is not offered any more."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sequela.adapters.repository.loaded_model import LoadedModel
from sequela.adapters.repository.model_folders import Fingerprint, ModelFolder
from sequela.adapters.repository.model_runners import VersionFolder
from sequela.concurrency.deadline import Deadline
from sequela.explain.ports import ModelRecord, ModelSource, ModelState
from sequela.names import ModelName


@dataclass(frozen=True, slots=True, eq=False)
class ModelEntry:
    """A version folder, and the model that was loaded from it.

    Attributes:
        folder: The folder.
        fingerprint: Distinguishes its files from changed ones.
        record: What callers see.
        model: The model, if this process runs it.
        problem: Why changed files are not in use, if an earlier model stays in use instead of them.
        deadline: Is cancelled when the model is not wanted any more.
        retry_at: When to load it again although its files are the same, as `time.monotonic`; infinite for never.
    """

    folder: ModelFolder
    fingerprint: Fingerprint
    record: ModelRecord
    model: LoadedModel | None = None
    problem: str = ""
    deadline: Deadline = field(default_factory=Deadline)
    retry_at: float = math.inf

    @classmethod
    def loading(cls, folder: ModelFolder, fingerprint: Fingerprint) -> ModelEntry:
        """Returns the entry of a folder whose model has yet to be loaded."""
        now = datetime.now(UTC)
        record = ModelRecord(folder.name.full, "", ModelSource.REPOSITORY, ModelState.LOADING, now)
        return cls(folder, fingerprint, record)

    @property
    def name(self) -> ModelName:
        """The name of the model."""
        return self.folder.name

    @property
    def state(self) -> ModelState:
        """The state of the model."""
        return self.record.state

    @property
    def version_folder(self) -> VersionFolder:
        """What is needed to load the model in an engine."""
        return VersionFolder(self.record.name, self.folder.path, self.record.digest)

    def ready(self, model: LoadedModel) -> ModelEntry:
        """Returns the entry with a model that was loaded."""
        record = replace(
            self.record,
            state=ModelState.READY,
            digest=model.info.digest,
            execution=model.execution,
            info=model.info,
        )
        return replace(self, record=record, model=model)

    def failed(self, detail: str, retry_at: float = math.inf) -> ModelEntry:
        """Returns the entry with the reason why its model cannot be used."""
        record = replace(
            self.record, state=ModelState.FAILED, detail=detail, digest="", execution="", info=None
        )
        return replace(self, record=record, model=None, retry_at=retry_at)

    def kept(self, failed: ModelEntry) -> ModelEntry:
        """Returns the entry, which stays in use although its files have changed, because the changed ones failed."""
        problem = f"its changed files cannot be used, so the earlier ones stay in use: {failed.record.detail}"
        # The record is the same object, since requests that use the model are recognized by it.
        return replace(self, fingerprint=failed.fingerprint, problem=problem, retry_at=failed.retry_at)

    def touched(self, done: ModelEntry) -> ModelEntry:
        """Returns the entry after its files were written again with the same content."""
        return replace(self, fingerprint=done.fingerprint, problem="", retry_at=math.inf)

    def matches(self, folder: ModelFolder, fingerprint: Fingerprint) -> bool:
        """Returns whether the entry is about this folder with these files."""
        return (self.folder, self.fingerprint) == (folder, fingerprint)


@dataclass(frozen=True, slots=True, eq=False)
class LeavingModel:
    """A model that is not offered any more. It can be run until the last request that uses it has ended.

    Attributes:
        version_folder: The folder from which it was loaded.
        model: The model, if this process runs it.
        record: Its record. Every request that uses the model refers to it, and nothing else does.
    """

    version_folder: VersionFolder
    model: LoadedModel | None
    record: weakref.ref[ModelRecord]

    @classmethod
    def of(cls, entry: ModelEntry) -> LeavingModel:
        """Returns what remains of an entry."""
        return cls(entry.version_folder, entry.model, weakref.ref(entry.record))

    @property
    def used(self) -> bool:
        """Whether a request uses it."""
        return self.record() is not None
