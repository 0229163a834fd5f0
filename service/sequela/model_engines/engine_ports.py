"""The ports of `explain`, inside an engine: they ask the server, or collect for the end of the task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from sequela.adapters.store.ports import Record, RecordPage, StoredRecord
from sequela.adapters.store.serialization import decode_background
from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask
from sequela.errors import Unavailable
from sequela.explain.background import Background, StoredBackground
from sequela.explain.explanation_query import Deleted
from sequela.explain.ports import Model
from sequela.explain.telemetry import (
    BatchEvaluated,
    CacheLookup,
    EntrySkipped,
    ExplanationFinished,
    StageDone,
)
from sequela.explain.telemetry import Record as TelemetryRecord
from sequela.model_engines.absent_models import MODEL_CHANGED
from sequela.model_engines.model_set import ModelSet
from sequela.model_engines.outcomes import RecordToKeep, TaskTelemetry
from sequela.model_engines.questions import Question, Reply, pack_question, read_record, read_reply

CHANGE_RETRY_SECONDS = 5.0
"""When a caller should retry, in seconds. By then another engine may have the model, or its new files are in use."""


class Busy(Exception):
    """Another request works on the same answer."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class TaskConnection:
    """The running task: how to ask the server, and what the server gets at the end. There is one at a time."""

    def __init__(self, ask: Ask, name: str, digest: str) -> None:
        self.name, self.digest = name, digest
        self.telemetry = TaskTelemetry()
        self.records: list[RecordToKeep] = []
        self.backgrounds: list[Background] = []
        self.answers: dict[str, StoredRecord | None] = {}
        self._ask = ask

    def ask(self, kind: Question, argument: str) -> tuple[Reply, bytes]:
        """Asks the server. Raises the error that it replies with."""
        return read_reply(self._ask(pack_question(kind, argument)))


class CurrentTask:
    """Holds the running task, for ports that live as long as the engine."""

    def __init__(self) -> None:
        self._connection: TaskConnection | None = None

    @property
    def connection(self) -> TaskConnection:
        """The running task."""
        if self._connection is None:
            raise RuntimeError("no task is running")
        return self._connection

    @contextmanager
    def hold(self, connection: TaskConnection) -> Iterator[None]:
        """Makes this the running task, until the context exits."""
        self._connection = connection
        try:
            yield
        finally:
            self._connection = None


class EngineModels:
    """Implements `ModelResolver`: every request is about the model that the server has resolved."""

    def __init__(self, models: ModelSet, task: CurrentTask) -> None:
        self._models, self._task = models, task

    def resolve(self, *_: object) -> Model:
        """See `ModelResolver`."""
        connection = self._task.connection
        model = self._models.get(connection.digest)
        if model is None:
            text = (
                f"the files of {connection.name} have changed or cannot be read, so it cannot be run; retry"
            )
            raise Unavailable(MODEL_CHANGED, text, retry_after=CHANGE_RETRY_SECONDS)
        return model.with_name(connection.name)


class EngineBackgrounds:
    """Implements `BackgroundFinder`."""

    def __init__(self, task: CurrentTask) -> None:
        self._task = task

    def get(self, name: str) -> StoredBackground:
        """See `BackgroundFinder`."""
        return StoredBackground(name, self._find(Question.BACKGROUND, name))

    def by_digest(self, digest: str) -> Background:
        """See `BackgroundFinder`."""
        return self._find(Question.BACKGROUND_DIGEST, digest)

    def remember(self, background: Background) -> None:
        """See `BackgroundFinder`."""
        self._task.connection.backgrounds.append(background)

    def _find(self, kind: Question, argument: str) -> Background:
        _, content = self._task.connection.ask(kind, argument)
        return decode_background(content)


class EngineRecords:
    """Implements the store's `Records`, for an `ExplanationStore`. What is added goes to the server with the answer."""

    def __init__(self, task: CurrentTask) -> None:
        self._task = task

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`."""
        self._task.connection.records.append(RecordToKeep(record, body, answer_key))

    def answer(self, answer_key: str) -> StoredRecord | None:
        """See `Records`. `EngineFlights` has asked for it."""
        return self._task.connection.answers.get(answer_key)

    def get(self, name: str) -> StoredRecord | None:
        """See `Records`."""
        return read_record(*self._task.connection.ask(Question.RECORD, name))

    def page(self, *_: object) -> RecordPage:
        """See `Records`."""
        return _not_here()

    def delete(self, *_: object) -> Deleted:
        """See `Records`."""
        return _not_here()


class EngineFlights:
    """Takes the place of `SingleFlight`: the server says whether another request works on an answer."""

    def __init__(self, task: CurrentTask) -> None:
        self._task = task

    @contextmanager
    def lead(self, key: str, _: Deadline) -> Iterator[None]:
        """Holds the key until the task ends. Raises Busy."""
        connection = self._task.connection
        kind, content = connection.ask(Question.LEAD, key)
        if kind is Reply.BUSY:
            raise Busy(key)
        connection.answers[key] = read_record(kind, content)
        yield


class EngineObserver:
    """Implements `Observer`: collects the records that the server's observers receive at the end of the task."""

    def __init__(self, task: CurrentTask) -> None:
        self._task = task

    def notice(self, record: TelemetryRecord) -> None:
        """See `Observer`."""
        telemetry = self._task.connection.telemetry
        match record:
            case BatchEvaluated(rows, seconds):
                telemetry.rows.append(rows)
                telemetry.seconds.append(seconds)
            case StageDone("store"):
                pass  # the server stores, and tells how long that takes
            case StageDone():
                telemetry.stages.append(record)
            case CacheLookup():
                telemetry.lookups.append(record)
            case EntrySkipped():
                telemetry.skips.append(record)
            case ExplanationFinished():
                telemetry.finished.append(record)


def _not_here() -> NoReturn:
    raise RuntimeError("an engine does not do this; the server does")
