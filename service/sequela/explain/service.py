"""One request from start to finish: resolve -> score -> prune -> play the levels -> Explanation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.concurrency.single_flight import SingleFlight
from sequela.concurrency.worker_pool import WorkerPool
from sequela.errors import NotFound, OutOfTime, SequelaError, Unavailable
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.prefix_states.state_cache import BackgroundStateCache
from sequela.explain.identity import content_key, explanation_name, unique_name
from sequela.explain.limits import Limits
from sequela.explain.pipeline import work_out
from sequela.explain.ports import Backgrounds, Explanations, Models, Observer
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.explain.result.assembly import shown_events
from sequela.explain.result.explanation import Cost, Explanation
from sequela.explain.scores import score_all
from sequela.explain.targets import scored_targets
from sequela.explain.task import Task, resolve
from sequela.explain.telemetry import ExplanationFinished, StageDone


@dataclass(frozen=True, slots=True, eq=False)
class ScoreResult:
    """Raw scores (sequences, targets)."""

    targets: tuple[str, ...]
    values: NDArray[np.float64]
    model_digest: str
    cost: Cost


class Explainer:
    """Answers questions. Synchronous and safe to call from several threads; each call runs in its caller's
    thread.
    """

    def __init__(
        self,
        models: Models,
        backgrounds: Backgrounds,
        explanations: Explanations,
        observer: Observer,
        limits: Limits,
        pool: WorkerPool,
    ) -> None:
        self._models, self._backgrounds, self._explanations = models, backgrounds, explanations
        self._observer, self._limits = observer, limits
        self._pool = pool
        self._prefix_states = BackgroundStateCache()
        self._flights = SingleFlight()

    def explain(self, request: ExplainRequest, deadline: Deadline) -> Explanation:
        """Explains one score, or gives back what was found before.

        Raises InvalidInput, NotFound, DoesNotFit, OutOfTime (not even f(X) and f(B) fit), Cancelled,
        Unavailable.
        """
        start = deadline.now()
        try:
            explanation = self._explain(request, deadline)
        except SequelaError as error:
            self._observer.notice(ExplanationFinished(error.reason, deadline.now() - start))
            raise
        self._observer.notice(ExplanationFinished(_outcome(explanation), deadline.now() - start, explanation))
        return explanation

    def score(self, request: ScoreRequest, deadline: Deadline) -> ScoreResult:
        """Raw scores of sequences. Raises as `explain` does."""
        caller = ModelCaller(deadline, self._pool, self._observer)
        path = request.paths.option("targets")
        try:
            model = self._models.resolve(request.model, deadline.end)
            count = len(request.sequences)
            columns = scored_targets(model.info.schema, request.targets, count, self._limits, path)
            rows = score_all(model, request, self._limits, caller)
        except DeadlinePassed as late:
            raise _out_of_time(late) from None
        return ScoreResult(columns.names, rows[:, list(columns.columns)], model.info.digest, caller.cost())

    def _explain(self, request: ExplainRequest, deadline: Deadline) -> Explanation:
        start = deadline.now()
        try:
            task = resolve(request, self._models, self._backgrounds, self._limits, deadline.end)
            self._observer.notice(StageDone("resolve", deadline.now() - start))
            endpoint = task.model.endpoint
            if endpoint and not endpoint.pinned:
                return self._answered_anew(task, deadline)
            return self._answered_once(task, content_key(task), deadline)
        except DeadlinePassed as late:
            raise _out_of_time(late) from None

    def _answered_anew(self, task: Task, deadline: Deadline) -> Explanation:
        """Kept for its alert alone: what is served may be another model tomorrow."""
        explanation = self._work_out(task, unique_name(), deadline)
        self._explanations.keep(None, explanation)
        return explanation

    def _answered_once(self, task: Task, key: str, deadline: Deadline) -> Explanation:
        with self._flights.lead(key, deadline):
            found = self._explanations.answer(key)
            if found:
                return self._answered_before(found, task, key)
            explanation = self._work_out(task, explanation_name(key, task.request), deadline)
            self._explanations.keep(key, explanation)
            return explanation

    def _answered_before(self, found: Explanation, task: Task, key: str) -> Explanation:
        """What was found for the same content, under this alert's name; what is stored under it stays as it was."""
        cost = Cost(cached=True)
        name = explanation_name(key, task.request)
        try:
            return replace(self._explanations.get(name), cost=cost)
        except (NotFound, Unavailable):
            explanation = _for_alert(found, task, name, cost)
            self._explanations.keep(key, explanation)
            return explanation

    def _work_out(self, task: Task, name: str, deadline: Deadline) -> Explanation:
        caller = ModelCaller(deadline, self._pool, self._observer)
        return work_out(task, name, self._limits, caller, self._prefix_states, self._observer)


def _for_alert(found: Explanation, task: Task, name: str, cost: Cost) -> Explanation:
    """An answer found for the same content, with this alert's own name, labels and event notes."""
    request = task.request
    pruned = found.pruning.pruned_events if found.pruning else 0
    infos = request.sequence.events
    shown = shown_events(task.layout, task.fitted.cells, pruned, found.event_level, infos)
    return replace(
        found,
        name=name,
        create_time=datetime.now(UTC),
        caller_id=request.caller_id,
        labels=dict(request.labels),
        model=task.model.info.name,
        background=task.background_name,
        event_values=shown if found.explained else (),
        cost=cost,
    )


def _outcome(explanation: Explanation) -> str:
    if explanation.cost.cached:
        return "cached"
    if not explanation.explained:
        return "below_minimum"
    return "cut_short" if explanation.cut_short else "ok"


def _out_of_time(late: DeadlinePassed) -> SequelaError:
    """What took the time, where that is known."""
    if isinstance(late.__cause__, SequelaError):
        return late.__cause__
    return OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed before the sequence could be scored")
