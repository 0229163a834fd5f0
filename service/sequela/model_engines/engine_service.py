"""Answers requests in engines, seen from the server: asks an engine, answers its questions, and stores what it made."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from sequela.adapters.repository.model_runners import VersionFolder
from sequela.adapters.store.ports import Records, StoreDown
from sequela.adapters.store.serialization import encode_background
from sequela.api.engine_port import EngineRequest
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.concurrency.single_flight import Flights
from sequela.engines.exits import EngineLost, ExitReason
from sequela.engines.pool import EnginePool
from sequela.errors import OutOfTime, SequelaError, Unavailable
from sequela.explain.background import Background
from sequela.explain.explanation import Explanation
from sequela.explain.ports import Backgrounds, ModelRecord, Observer
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.explain.service import ScoreResult
from sequela.explain.stage_timer import timed
from sequela.explain.telemetry import ExplanationNotKept
from sequela.model_engines.absent_models import MODEL_CHANGED, AbsentModels
from sequela.model_engines.crashes import CrashLog
from sequela.model_engines.frames import FormInvalid
from sequela.model_engines.outcomes import TaskOutcome
from sequela.model_engines.questions import (
    Question,
    Reply,
    error_reply,
    read_question,
    record_reply,
)
from sequela.model_engines.request_sequences import sequence_keys
from sequela.model_engines.row_answers import read_explanation, read_scores
from sequela.model_engines.tasks import ModelEngineConfig, ModelEngineTask, ModelEngineUpdate, read_digests
from sequela.spans import SpanKind, current_context, span

DOWN_SECONDS = 5.0
"""How long, in seconds, all engines may be down before the server is not ready. Most are replaced sooner."""
RETRY_SECONDS = 0.1
"""When a caller should retry, in seconds, if another request works on the same answer."""

UPDATE_SECONDS = 300.0
"""How long, in seconds, an engine may take to load models that were added while the server runs."""
POLL_SECONDS = 0.05
"""How often, in seconds, the server checks whether the first engine is up."""

OpenPool = Callable[[ModelEngineConfig, Callable[[bytes], None]], EnginePool]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class StoredParts:
    """What the server keeps for all engines: explanations, backgrounds, and which answers are being computed."""

    records: Records
    backgrounds: Backgrounds
    flights: Flights
    observer: Observer


class ModelEngines:
    """Implements `api.engine_port.Engines` and `adapters.repository.model_runners.ModelRunners`.

    Args:
        count: How many engines will run the models.
        open_pool: Starts engines with this configuration, and calls the function with what each says when it is ready.
        config: The configuration without models.
        crashes: Requests and models that ended their engine.

    Attributes:
        here: False: the models do not run in this process.
        count: How many engines run them.
    """

    here = False

    def __init__(
        self,
        count: int,
        open_pool: OpenPool,
        config: ModelEngineConfig,
        crashes: CrashLog,
    ) -> None:
        self.count = count
        self._open_pool, self._config = open_pool, config
        self._crashes = crashes
        self._absent = AbsentModels()
        self._up_at = -math.inf
        self._lock = threading.Lock()
        self._pool: EnginePool | None = None
        self._parts: StoredParts | None = None
        self._begun = self._closed = False

    @property
    def up(self) -> int:
        """How many engines can take work."""
        return self._pool.up if self._pool else 0

    def connect(self, parts: StoredParts) -> None:
        """Sets what the server keeps for the engines, before the first request."""
        self._parts = parts

    def hold(self, versions: Sequence[VersionFolder]) -> frozenset[str]:
        """See `ModelRunners`. Without models there are no engines."""
        if self._pool:
            return self._renew(self._pool, versions)
        with self._lock:
            later, self._begun = self._begun, True
            if versions and not self._closed:
                config = replace(self._config, models=tuple(versions))
                self._pool = self._open_pool(config, lambda said: self._absent.note(read_digests(said)))
        if later and self._pool:
            self._await_engine()
        return frozenset(version.digest for version in versions)

    def ready(self) -> bool:
        """See `ModelRunners`. Engines that were up a moment ago are probably being replaced."""
        now = time.monotonic()
        if self._begun and (self._pool is None or self._pool.up > 0):
            self._up_at = now
        return now - self._up_at <= DOWN_SECONDS

    def absent(self) -> frozenset[str]:
        """See `ModelRunners`."""
        return self._absent.all()

    def _renew(self, pool: EnginePool, versions: Sequence[VersionFolder]) -> frozenset[str]:
        """Lets the engines, one after another, load what they lack and drop the rest."""
        update = ModelEngineUpdate(tuple(versions))
        config = replace(self._config, models=update.models)
        answers = pool.renew(config.pack(), update.pack(), Deadline(UPDATE_SECONDS))
        wanted = frozenset(version.digest for version in versions)
        return wanted.intersection(*map(read_digests, answers))

    def _await_engine(self) -> None:
        """Waits for the first engine, since the server counts as ready already."""
        end = time.monotonic() + UPDATE_SECONDS
        while not (self.up or self._closed) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Ends the engines."""
        with self._lock:
            self._closed = True
            pool = self._pool
        if pool:
            pool.close()

    def take(self, record: ModelRecord) -> bool:
        """See `Engines`."""
        return self._pool is not None and record.info is not None and record.endpoint is None

    def run(self, request: EngineRequest, record: ModelRecord, deadline: Deadline) -> bytes:
        """See `Engines`."""
        return self._run(request, record, deadline)

    def explain_row(self, request: ExplainRequest, record: ModelRecord, deadline: Deadline) -> Explanation:
        """See `Engines`."""
        return read_explanation(self._run(request, record, deadline))

    def score_rows(self, request: ScoreRequest, record: ModelRecord, deadline: Deadline) -> ScoreResult:
        """See `Engines`."""
        return read_scores(self._run(request, record, deadline))

    def _run(
        self,
        request: EngineRequest | ExplainRequest | ScoreRequest,
        record: ModelRecord,
        deadline: Deadline,
    ) -> bytes:
        """Returns the encoded answer."""
        keys = partial(sequence_keys, request, self._config.limits)
        self._crashes.check(record.digest, keys)
        try:
            with span("engine", SpanKind.CLIENT, {"sequela.model": record.name}):
                facts = structlog.contextvars.get_contextvars()
                task = ModelEngineTask(request, record.name, record.digest, facts, current_context()).pack()
                outcome = self._until_led(task, record.digest, _requested_by(request), deadline)
        except EngineLost as lost:
            self._crashes.note(record.digest, keys, lost)
            if lost.exit.reason is ExitReason.OVERRAN:
                text = f"the deadline passed, and the model did not stop: {lost.message}"
                raise OutOfTime("DEADLINE_TOO_SHORT", text) from None
            raise
        if outcome.error:
            if outcome.error.reason == MODEL_CHANGED:
                self._absent.note([record.digest])
            raise outcome.error.error()
        return outcome.answer

    def _until_led(self, task: bytes, digest: str, requested_by: str, deadline: Deadline) -> TaskOutcome:
        """Sends the task. If another request works on the same answer, sends it again when that request has ended."""
        pool, parts = self._pool, self._parts
        if pool is None or parts is None:
            raise RuntimeError("engines were not started")
        with ExitStack() as flights:
            answers = QuestionAnswers(parts, flights)
            outcome = _read(pool.call(task, deadline, answers.reply))
            if outcome.busy:
                # No engine waits meanwhile. From here on, others wait for this request.
                answers.wait_for(outcome.busy, deadline)
                outcome = _read(pool.call(task, deadline, answers.reply))
            _settle(parts, outcome, digest, requested_by, deadline.accepted)
            return outcome


class QuestionAnswers:
    """Answers the questions of one task. `flights` holds the answers that it works on until the task has ended."""

    def __init__(self, parts: StoredParts, flights: ExitStack) -> None:
        self._parts, self._flights = parts, flights
        self._led: set[str] = set()

    def wait_for(self, key: str, deadline: Deadline) -> None:
        """Waits until no other request works on an answer, and then takes it over. Raises OutOfTime and Cancelled."""
        try:
            self._flights.enter_context(self._parts.flights.lead(key, deadline))
        except DeadlinePassed:
            text = "the deadline passed while another request worked on the same answer; retry later"
            raise OutOfTime("DEADLINE_SPENT_WAITING", text, retry_after=RETRY_SECONDS) from None
        self._led.add(key)

    def reply(self, content: bytes) -> bytes:
        """Returns the reply to a question. Raises FormInvalid."""
        kind, argument = read_question(content)
        try:
            return self._find(kind, argument)
        except SequelaError as error:
            return error_reply(error)

    def _find(self, kind: Question, argument: str) -> bytes:
        match kind:
            case Question.LEAD:
                return self._lead(argument)
            case Question.RECORD:
                return record_reply(self._parts.records.get(argument))
            case Question.BACKGROUND:
                return _background(self._parts.backgrounds.get(argument).background)
            case Question.BACKGROUND_DIGEST:
                return _background(self._parts.backgrounds.by_digest(argument))

    def _lead(self, key: str) -> bytes:
        if key not in self._led:
            try:
                self._flights.enter_context(self._parts.flights.lead(key, Deadline(0.0)))
            except DeadlinePassed:
                return Reply.BUSY.value
        try:
            return record_reply(self._parts.records.answer(key))
        except StoreDown:
            return Reply.NOTHING.value


def _read(content: bytes) -> TaskOutcome:
    try:
        return TaskOutcome.unpack(content)
    except FormInvalid as error:
        _log.error("engine answer refused", detail=str(error))
        text = "the process that runs the model gave an invalid answer"
        raise Unavailable("ENGINE_ANSWER_INVALID", text) from None


def _requested_by(request: EngineRequest | ExplainRequest | ScoreRequest) -> str:
    return "" if isinstance(request, ScoreRequest) else request.requested_by


def _settle(
    parts: StoredParts, outcome: TaskOutcome, digest: str, requested_by: str, accepted: datetime
) -> None:
    """Stores what an engine made, and tells the observers."""
    outcome.telemetry.tell(parts.observer)
    for background in outcome.backgrounds:
        parts.backgrounds.remember(background)
    for kept in outcome.records:
        if kept.record.summary.model_digest != digest:
            _log.error("engine answer refused", detail="an explanation of another model")
            continue
        try:
            # The engine does not know how long the request waited for it, and cannot choose whose request it was.
            summary = replace(kept.record.summary, requested_by=requested_by)
            record = replace(kept.record, summary=summary, accepted=accepted)
            add = partial(parts.records.add, record, kept.body, kept.answer_key)
            timed(parts.observer, "store", add)
        except StoreDown:
            parts.observer.notice(ExplanationNotKept())


def _background(background: Background) -> bytes:
    return Reply.FOUND.value + encode_background(background)
