"""The engine's side: loads the one model that it is sent, and runs it. Whatever the model does, it does here."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

# numpy loads these when they are first used, but in the sandbox no file can be opened.
import numpy.ma
import numpy.random  # noqa: F401
import structlog

from sequela.adapters import logs
from sequela.adapters.onnx.loader import Loader
from sequela.adapters.onnx.model import OnnxModel
from sequela.adapters.onnx.provider import ExecutionProvider
from sequela.adapters.python_errors import log_python_errors
from sequela.adapters.upload_engines.model_answers import (
    AnswerKind,
    ModelFacts,
    arrays_answer,
    error_answer,
    facts_answer,
)
from sequela.adapters.upload_engines.model_tasks import (
    AdvanceStates,
    DescribeModel,
    FinishStates,
    ModelOperation,
    ModelTask,
    ReadEventWeights,
    RunModel,
)
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.engines.channel import Ask, Channel
from sequela.errors import SequelaError
from sequela.explain.limits import Limits
from sequela.explain.ports import Recurrence
from sequela.names import ModelName


@dataclass(frozen=True, slots=True)
class UploadEngineConfig:
    """What an engine needs to know.

    Attributes:
        limits: The limits of models.
        log_level: The lowest level that it logs.
        model_threads: The threads that one call of a model may use.
        provider: What models run on.
    """

    limits: Limits
    log_level: str = "info"
    model_threads: int = 1
    provider: ExecutionProvider = ExecutionProvider.CPU

    def pack(self) -> bytes:
        """Returns the configuration as bytes."""
        return pickle.dumps(self)


def serve(config: bytes, channel: Channel) -> None:
    """Works on tasks until the front ends the process."""
    given: UploadEngineConfig = pickle.loads(config)  # noqa: S301 the front sent it
    logs.configure(given.log_level)
    log_python_errors()
    channel.serve(b"", LoadedModelEngine(Loader(given.limits, given.model_threads, given.provider)).handle)


class LoadedModelEngine:
    """Holds one model. A task for an engine without a model brings the files, or is answered with NOT_LOADED."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._model: OnnxModel | None = None

    def handle(self, content: bytes, _: Ask, deadline: Deadline) -> bytes:
        """Works on one task."""
        task: ModelTask = pickle.loads(content)  # noqa: S301 the front sent it
        with structlog.contextvars.bound_contextvars(**task.facts):
            try:
                return self._answer(task, deadline)
            except SequelaError as error:
                return error_answer(error)
            except DeadlinePassed:
                return AnswerKind.DEADLINE_PASSED.value

    def _answer(self, task: ModelTask, deadline: Deadline) -> bytes:
        if self._model is None and task.source:
            name = ModelName(task.source.digest, 1).full
            self._model = self._loader.load(name, task.source)
        if self._model is None:
            return AnswerKind.NOT_LOADED.value
        return _run(self._model, task.operation, deadline.end)


def _run(model: OnnxModel, operation: ModelOperation, until: float) -> bytes:
    match operation:
        case DescribeModel():
            return _describe(model)
        case RunModel(batch, padding, output_event):
            return arrays_answer([model.run(batch, padding, output_event, until)])
        case ReadEventWeights(sequence, padding):
            weights = model.event_weights(sequence, padding, until)
            return arrays_answer([] if weights is None else [weights])
        case AdvanceStates(batch, states):
            return arrays_answer(_recurrence(model).advance(batch, states, until))
        case FinishStates(batch, states):
            return arrays_answer([_recurrence(model).finish(batch, states, until)])


def _describe(model: OnnxModel) -> bytes:
    info, recurrence = model.info, model.recurrence
    facts = ModelFacts(
        schema=info.schema,
        fixed_length=info.fixed_length,
        warnings=info.warnings,
        execution=model.execution,
        step_work=model.step_work,
        static_enters=recurrence.static_enters if recurrence else None,
    )
    return facts_answer(facts, recurrence.initial(1) if recurrence else ())


def _recurrence(model: OnnxModel) -> Recurrence:
    if model.recurrence is None:
        raise RuntimeError("the model cannot be run from states")
    return model.recurrence
