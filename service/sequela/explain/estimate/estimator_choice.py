"""Chooses one estimator for all levels of a request."""

from __future__ import annotations

from dataclasses import replace

from sequela.explain.estimate.solvers import choose_estimator, requested_estimator
from sequela.explain.evaluate.remote import row_bytes
from sequela.explain.option_defaults import budget_of
from sequela.explain.options import Estimator
from sequela.explain.ports import RemoteModel
from sequela.explain.task import Task


def with_estimator(task: Task, pruned: int) -> Task:
    """Returns the task with its estimator filled in, so that the options in the answer reproduce the answer.

    Args:
        task: The request.
        pruned: The number of pruned events. All other events are players.
    """
    options = task.request.options
    chosen = requested_estimator(options, task.model.endpoint) or _by_row_time(task, pruned)
    return replace(task, request=replace(task.request, options=replace(options, estimator=chosen)))


def _by_row_time(task: Task, pruned: int) -> Estimator:
    """Chooses the estimator from the time that rows have taken so far."""
    model = task.model
    assert isinstance(model, RemoteModel)
    # The largest game that is expected: unpruned events or features, and P.
    players = max(task.prepared.cells.length - pruned, len(task.layout.features)) + 1
    size = row_bytes(model, task.prepared.cells, task.prepared.padding)
    budget = budget_of(task.request.options, model.endpoint)
    return choose_estimator(model.endpoint, size, budget, players)
