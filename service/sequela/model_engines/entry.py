"""The process of an engine: loads the operator's models, and answers requests with them."""

from __future__ import annotations

import os
import pickle
from contextlib import nullcontext

import structlog

from sequela.adapters import logs
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.python_errors import log_python_errors
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.trace_files.tracer import FileTracer
from sequela.concurrency.deadline import Deadline
from sequela.concurrency.worker_pool import WorkerPool
from sequela.engines.channel import Ask, Channel
from sequela.errors import SequelaError
from sequela.explain.diagnostics import Diagnostics
from sequela.explain.service import Explainer
from sequela.explain.tracer import NO_TRACE
from sequela.model_engines.engine_ports import (
    Busy,
    CurrentTask,
    EngineBackgrounds,
    EngineFlights,
    EngineModels,
    EngineObserver,
    EngineRecords,
    TaskConnection,
)
from sequela.model_engines.error_form import ErrorForm
from sequela.model_engines.model_set import ModelSet
from sequela.model_engines.operations import answer as answer_request
from sequela.model_engines.outcomes import TaskOutcome
from sequela.model_engines.tasks import ModelEngineConfig, ModelEngineTask, ModelEngineUpdate, pack_digests
from sequela.spans import continued


def serve(config: bytes, channel: Channel) -> None:
    """Loads the models, and works on tasks until the server ends the process."""
    given: ModelEngineConfig = pickle.loads(config)  # noqa: S301 the server sent it
    logs.configure(given.log_level)
    log_python_errors()
    structlog.contextvars.bind_contextvars(engine=os.getpid())
    engine = ModelEngine(given)
    # The server notes the models that this engine lacks.
    channel.serve(pack_digests(engine.absent), engine.handle)


class ModelEngine:
    """Answers one request at a time."""

    def __init__(self, config: ModelEngineConfig) -> None:
        self._limits = config.limits
        self._task = CurrentTask()
        observer = self._observer = EngineObserver(self._task)
        self._models = ModelSet(Loader(config.limits, config.model_threads, config.provider))
        self._models.hold(config.models)
        models = EngineModels(self._models, self._task)
        records = EngineRecords(self._task)
        self._explainer = Explainer(
            models,
            EngineBackgrounds(self._task),
            ExplanationStore(records, observer, config.explanation_ttl, config.keep_sequences),
            observer,
            config.limits,
            WorkerPool(1),
            diagnostics=_diagnostics(config),
            flights=EngineFlights(self._task),
        )

    @property
    def absent(self) -> tuple[str, ...]:
        """The digests of the models that could not be loaded."""
        return self._models.absent

    def handle(self, content: bytes, ask: Ask, deadline: Deadline) -> bytes:
        """Works on one task."""
        task: ModelEngineTask | ModelEngineUpdate = pickle.loads(content)  # noqa: S301 the server sent it
        if isinstance(task, ModelEngineUpdate):
            self._models.hold(task.models)
            return pack_digests(self._models.digests)
        connection = TaskConnection(ask, task.name, task.digest)
        traced = continued(task.span, connection.telemetry.spans.append) if task.span else nullcontext()
        with structlog.contextvars.bound_contextvars(**task.facts), self._task.hold(connection), traced:
            return self._answer(task, deadline, connection).pack()

    def _answer(self, task: ModelEngineTask, deadline: Deadline, connection: TaskConnection) -> TaskOutcome:
        answer, error = b"", None
        try:
            answer = answer_request(self._explainer, task.request, self._limits, deadline, self._observer)
        except Busy as busy:
            # The server sends the task again when the other request has ended, so nothing has happened yet.
            return TaskOutcome(busy=busy.key)
        except SequelaError as raised:
            error = ErrorForm.of(raised)
        return TaskOutcome(
            answer, error, "", connection.telemetry, tuple(connection.records), tuple(connection.backgrounds)
        )


def _diagnostics(config: ModelEngineConfig) -> Diagnostics:
    tracer = FileTracer(config.trace_dir, config.trace_bytes) if config.trace_dir else NO_TRACE
    return Diagnostics(tracer, config.execution)
