"""Sends operations on models to engines, and turns what goes wrong there into the errors of a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import structlog
from numpy.typing import NDArray

from sequela.adapters.onnx.loader import ModelBytes
from sequela.adapters.upload_engines.model_answers import ModelFacts, is_not_loaded, read_arrays, read_facts
from sequela.adapters.upload_engines.model_tasks import DescribeModel, ModelOperation, ModelTask
from sequela.adapters.upload_engines.quarantine import Quarantine
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.engines.exits import GUILTY, EngineLost, EngineTaskFailed, ExitReason
from sequela.engines.pool import EnginePool
from sequela.errors import DoesNotFit, OutOfTime
from sequela.spans import SpanKind, span

T = TypeVar("T")

LONG_CALL_SECONDS = 5.0
"""A model counts as the cause only if one call had at least this many seconds and did not stop. Usual calls take
milliseconds, and a caller with a short deadline must not be able to put a slow model into quarantine.
"""

FAIR_SHARE = 0.9
"""The share of a time limit that counts as all of it, since some time passes before the engine begins."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class EngineClient:
    """Calls models in the engines of a pool.

    Attributes:
        pool: The engines. One engine loads one model only.
        quarantine: Models that are not sent to an engine.
        load_seconds: How long loading a model may take.
        call_seconds: How long one call of a model may take.
    """

    pool: EnginePool
    quarantine: Quarantine
    load_seconds: float
    call_seconds: float

    def describe(self, source: ModelBytes, deadline: Deadline) -> tuple[ModelFacts, tuple[NDArray[Any], ...]]:
        """Loads a model, and returns its facts and its states before the first event.

        Args:
            source: The model's files.
            deadline: When the model is no longer needed. The limit for loading may bring it forward.

        Raises:
            InvalidInput, DoesNotFit: The model cannot be used (`model_answers.REASONS`), MODEL_QUARANTINED,
                REQUEST_QUARANTINED, or ENGINE_ANSWER_INVALID.
            OutOfTime: MODEL_LOAD_TOO_SLOW.
            DeadlinePassed: The deadline came first.
            Cancelled: The deadline was cancelled.
            Unavailable: Its engine ended, or there is none.
        """
        wanted_until, limit = deadline.end, time.monotonic() + self.load_seconds
        deadline.hurry(limit)
        try:
            with span("model load", SpanKind.CLIENT, {"sequela.model.digest": source.digest}):
                return self._call(source, DescribeModel(), lambda _: deadline, read_facts)
        except DeadlinePassed:
            if wanted_until < limit:
                raise
            text = f"the model was not loaded within {self.load_seconds:g} s, the limit for loading a model"
            raise OutOfTime("MODEL_LOAD_TOO_SLOW", text) from None

    def run(self, source: ModelBytes, operation: ModelOperation, until: float) -> tuple[NDArray[Any], ...]:
        """Runs an operation on a model, and returns its arrays, whose shapes are not checked yet.

        Raises as `describe`, and DeadlinePassed.
        """

        def call_deadline(loads: bool) -> Deadline:
            # A model that must be loaded again gets the time for that, but no longer than its caller waits.
            seconds = max(self.call_seconds, self.load_seconds) if loads else self.call_seconds
            return Deadline(min(until - time.monotonic(), seconds))

        return self._call(source, operation, call_deadline, read_arrays)

    def reject(self, digest: str, problem: object) -> NoReturn:
        """Puts a model whose engine gave an invalid answer into quarantine. Raises DoesNotFit."""
        _log.error("engine answer refused", digest=digest, detail=str(problem)[:500])
        self.quarantine.add(digest, "gave an invalid answer")
        self.pool.retire(digest)
        text = "the process that runs the model gave an invalid answer, which was not used"
        raise DoesNotFit("ENGINE_ANSWER_INVALID", text, metadata={"digest": digest})

    def _call(
        self,
        source: ModelBytes,
        operation: ModelOperation,
        pick_deadline: Callable[[bool], Deadline],
        read: Callable[[bytes], T],
    ) -> T:
        facts = structlog.contextvars.get_contextvars()
        # Most engines have the model, so its files are sent only if one asks for them.
        answer = self._send(source.digest, ModelTask(operation, facts=facts), pick_deadline(False))
        if is_not_loaded(answer):
            answer = self._send(source.digest, ModelTask(operation, source, facts), pick_deadline(True))
        try:
            return read(answer)
        except (ValueError, KeyError) as error:
            self.reject(source.digest, error)

    def _send(self, digest: str, task: ModelTask, deadline: Deadline) -> bytes:
        self.quarantine.check(digest, task.question)
        seconds = deadline.remaining
        if seconds <= 0:
            raise DeadlinePassed
        try:
            return self.pool.call(task.pack(), deadline, _refuse, digest)
        except OutOfTime:
            raise DeadlinePassed from None
        except _QuestionAsked:
            self.reject(digest, "the engine asked a question, which none may")
        except EngineTaskFailed as error:
            _log.error("model failed in its engine", digest=digest, detail=str(error))
            text = "the model fails in a way that was not foreseen; the server's log has the details"
            raise DoesNotFit("MODEL_FAILED", text) from None
        except EngineLost as lost:
            if lost.exit.reason in GUILTY:
                self._blame(digest, task, lost.exit.detail)
            if lost.exit.reason is ExitReason.OVERRAN:
                if seconds < self._fair_seconds(task):
                    raise DeadlinePassed from None
                self._blame(digest, task, lost.exit.detail)
            raise

    def _blame(self, digest: str, task: ModelTask, detail: str) -> None:
        if isinstance(task.operation, DescribeModel):
            self.quarantine.add(digest, detail)
        else:
            self.quarantine.add_question(digest, task.question(), detail)

    def _fair_seconds(self, task: ModelTask) -> float:
        """Returns how many seconds a task must have been given before its model is blamed for not stopping."""
        if task.source:
            # Loading cannot stop in the middle, so it may take all of its time.
            return self.load_seconds * FAIR_SHARE
        return min(LONG_CALL_SECONDS, self.call_seconds * FAIR_SHARE)


class _QuestionAsked(Exception):
    """An engine asked a question, which no engine of a caller's model may."""


def _refuse(_: bytes) -> bytes:
    raise _QuestionAsked


def same_shapes(arrays: Sequence[NDArray[Any]], wanted: Sequence[tuple[tuple[int, ...], str]]) -> bool:
    """Returns whether arrays have these shapes and element types."""
    return [(array.shape, array.dtype.str) for array in arrays] == list(wanted)
