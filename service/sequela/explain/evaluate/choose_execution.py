"""Chooses how a request's coalitions are evaluated: by an endpoint, from states, or as whole sequences."""

from __future__ import annotations

from enum import StrEnum

from sequela.errors import DoesNotFit
from sequela.explain.evaluate.evaluator import Execution
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.prefix_states.execution import PrefixStateExecution
from sequela.explain.evaluate.prefix_states.state_cache import BackgroundStateCache, PrefixStates
from sequela.explain.evaluate.remote import RemoteExecution, RemoteScorer
from sequela.explain.evaluate.whole import WholeExecution
from sequela.explain.ports import LocalModel, RemoteModel
from sequela.explain.task import Task
from sequela.timeshap.masking import Masker
from sequela.timeshap.pruning import window_ends


class ExecutionKind(StrEnum):
    """A way to run a model in this process. Forcing one makes it possible to compare their results."""

    WHOLE = "whole"
    STATES = "states"


def choose_execution(
    task: Task, caller: ModelCaller, cache: BackgroundStateCache, forced: ExecutionKind | None = None
) -> Execution:
    """Returns the execution for a task: its endpoint if it has one, else from states if possible, else whole.

    Args:
        task: The request.
        caller: Runs the model.
        cache: The states of backgrounds that all requests share.
        forced: The execution to use for a model in this process; None to choose automatically.

    Raises:
        DoesNotFit: The model cannot be run with the forced execution.
    """
    # All executions build perturbations with the same masker, so they see the same values bit for bit.
    masker = Masker(task.prepared.cells, task.background_cells(), task.layout.columns)
    model, padding, event = task.model, task.prepared.padding, task.request.options.output_event
    if isinstance(model, RemoteModel):
        if forced is not None:
            raise _cannot(task, forced, "it is served by an endpoint")
        scorer = RemoteScorer.of(model, caller, task.prepared.cells, padding, event)
        return RemoteExecution(scorer, masker)
    if forced is ExecutionKind.STATES and model.recurrence is None:
        raise _cannot(task, forced, "it was not rewritten to run from states")
    if model.recurrence is None or forced is ExecutionKind.WHOLE:
        return WholeExecution(model, masker, padding, event, caller)
    return _from_states(task, model, masker, caller, cache)


def execution_name(execution: Execution) -> str:
    """Returns how an execution runs the model: `whole`, `states` or `endpoint`."""
    match execution:
        case WholeExecution():
            return ExecutionKind.WHOLE.value
        case PrefixStateExecution():
            return ExecutionKind.STATES.value
        case _:
            return "endpoint"


def _cannot(task: Task, forced: ExecutionKind, why: str) -> DoesNotFit:
    text = f"model {task.model.info.name} cannot be run with execution {forced}: {why}"
    return DoesNotFit("EXECUTION_UNSUPPORTED", text)


def _from_states(
    task: Task, model: LocalModel, masker: Masker, caller: ModelCaller, cache: BackgroundStateCache
) -> PrefixStateExecution:
    recurrence = model.recurrence
    assert recurrence is not None
    prepared, event = task.prepared, task.request.options.output_event
    # Each window of the pruning scan starts at one of these events, so their states are kept.
    kept = window_ends(prepared.cells.length)
    states = PrefixStates(recurrence, masker, prepared.padding, kept, caller, cache, _background_key(task))
    return PrefixStateExecution(model, recurrence, masker, prepared.padding, event, states, caller)


def _background_key(task: Task) -> str | None:
    """Returns the key under which the background's states are shared between requests, or None if they cannot be.

    An average event repeats, so its states depend only on the number of events. The rows of a matrix are counted from
    the last event, so its states also depend on the length of the sequence. Padding before the events differs from
    sequence to sequence, so with such padding nothing is shared.
    """
    if len(task.prepared.padding.before[0]):
        return None
    length = task.prepared.cells.length if task.background.length > 1 else 0
    return f"{task.model.info.digest}/{task.background.digest}/{length}"
