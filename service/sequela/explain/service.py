"""One request from start to finish: resolve -> score -> prune -> play the levels -> Explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Clock, TimeUp
from sequela.concurrency.single_flight import SingleFlight
from sequela.concurrency.worker_pool import Pool
from sequela.errors import NotFound, OutOfTime, SequelaError, Unavailable
from sequela.explain.evaluate.model_caller import Asker
from sequela.explain.evaluate.prefix_states.state_cache import BackgroundPasts
from sequela.explain.identity import content_key, explanation_name, unique_name
from sequela.explain.limits import Limits
from sequela.explain.pipeline import work_out
from sequela.explain.ports import Backgrounds, Explanations, Models, Observer
from sequela.explain.request import GivenSequence, ModelChoice, Question
from sequela.explain.result.assembly import shown_events
from sequela.explain.result.explanation import Cost, Explanation
from sequela.explain.scores import score_all
from sequela.explain.targets import scored_targets
from sequela.explain.task import Task, resolve
from sequela.explain.telemetry import Explained, StageDone


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
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
        pool: Pool,
    ) -> None:
        self._models, self._backgrounds, self._explanations = models, backgrounds, explanations
        self._observer, self._limits = observer, limits
        self._pool = pool
        self._pasts = BackgroundPasts()
        self._flights = SingleFlight()

    def explain(self, question: Question, clock: Clock) -> Explanation:
        """Explains one score, or gives back what was found before.

        Raises InvalidInput, NotFound, DoesNotFit, OutOfTime (not even f(X) and f(B) fit), Cancelled,
        Unavailable.
        """
        start = clock.now()
        try:
            explanation = self._explain(question, clock)
        except SequelaError as error:
            self._observer.notice(Explained(error.reason, clock.now() - start))
            raise
        self._observer.notice(Explained(_outcome(explanation), clock.now() - start, explanation))
        return explanation

    def score(
        self,
        choice: ModelChoice,
        sequences: Sequence[GivenSequence],
        targets: tuple[str, ...],
        output_event: int,
        clock: Clock,
    ) -> Scored:
        """Raw scores of sequences. Raises as `explain` does."""
        asker = Asker(clock, self._pool, self._observer)
        try:
            model = self._models.resolve(choice, clock.end)
            columns = scored_targets(model.schema, targets, len(sequences), self._limits, "targets")
            rows = score_all(model, sequences, output_event, self._limits, asker)
        except TimeUp as late:
            raise _out_of_time(late) from None
        return Scored(columns.names, rows[:, list(columns.columns)], model.digest, asker.cost())

    def _explain(self, question: Question, clock: Clock) -> Explanation:
        start = clock.now()
        try:
            task = resolve(question, self._models, self._backgrounds, self._limits, clock.end)
            self._observer.notice(StageDone("resolve", clock.now() - start))
            endpoint = task.model.endpoint
            if endpoint and not endpoint.pinned:
                return self._answered_anew(task, clock)
            return self._answered_once(task, content_key(task), clock)
        except TimeUp as late:
            raise _out_of_time(late) from None

    def _answered_anew(self, task: Task, clock: Clock) -> Explanation:
        """Kept for its alert alone: what is served may be another model tomorrow."""
        explanation = self._work_out(task, unique_name(), clock)
        self._explanations.keep(None, explanation)
        return explanation

    def _answered_once(self, task: Task, key: str, clock: Clock) -> Explanation:
        with self._flights.lead(key, clock):
            found = self._explanations.answer(key)
            if found:
                return self._answered_before(found, task, key)
            explanation = self._work_out(task, explanation_name(key, task.question), clock)
            self._explanations.keep(key, explanation)
            return explanation

    def _answered_before(self, found: Explanation, task: Task, key: str) -> Explanation:
        """What was found for the same content, under this alert's name; what is stored under it stays as it was."""
        cost = Cost(cached=True)
        name = explanation_name(key, task.question)
        try:
            return replace(self._explanations.get(name), cost=cost)
        except (NotFound, Unavailable):
            explanation = _for_alert(found, task, name, cost)
            self._explanations.keep(key, explanation)
            return explanation

    def _work_out(self, task: Task, name: str, clock: Clock) -> Explanation:
        asker = Asker(clock, self._pool, self._observer)
        return work_out(task, name, self._limits, asker, self._pasts, self._observer)


def _for_alert(found: Explanation, task: Task, name: str, cost: Cost) -> Explanation:
    """An answer found for the same content, with this alert's own name, labels and event notes."""
    question = task.question
    pruned = found.pruning.pruned_events if found.pruning else 0
    infos = question.sequence.events
    shown = shown_events(task.layout, task.fitted.cells, pruned, found.event_level, infos)
    return replace(
        found,
        name=name,
        create_time=datetime.now(UTC),
        caller_id=question.caller_id,
        labels=dict(question.labels),
        model=task.model.name,
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


def _out_of_time(late: TimeUp) -> SequelaError:
    """What took the time, where that is known."""
    if isinstance(late.__cause__, SequelaError):
        return late.__cause__
    return OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed before the sequence could be scored")
