"""The public calls: explain one score, and score sequences.

`Explainer.explain` resolves what a request names (task.py), looks for a stored answer, and computes one if there is
none (pipeline.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.concurrency.single_flight import Flights, SingleFlight
from sequela.errors import NotFound, OutOfTime, SequelaError, Unavailable
from sequela.explain.diagnostics import NO_DIAGNOSTICS, Diagnostics
from sequela.explain.estimate.design_cache import DesignCache
from sequela.explain.evaluate.model_caller import ModelCaller, Workers
from sequela.explain.evaluate.prefix_states.state_cache import BackgroundStateCache
from sequela.explain.explanation import Cost, Explanation
from sequela.explain.identity import content_key, content_name, unique_name
from sequela.explain.kept_explanation import EncodedExplanation, KeptSequence
from sequela.explain.levels.registry import BUILT_IN_LEVELS, LevelRegistry
from sequela.explain.limits import Limits
from sequela.explain.pipeline import Pipeline
from sequela.explain.ports import BackgroundFinder, Explanations, ModelResolver, Observer
from sequela.explain.request import ExplainRequest, ScoreRequest
from sequela.explain.result.assembly import shown_events
from sequela.explain.result.raised_target import is_target_raised
from sequela.explain.result.reasons import reasons
from sequela.explain.scores import score_all
from sequela.explain.stage_timer import StageTimer
from sequela.explain.targets import scored_targets
from sequela.explain.task import Task, resolve
from sequela.explain.telemetry import ExplanationFinished, LevelFacts


@dataclass(frozen=True, slots=True, eq=False)
class ScoreResult:
    """The answer to a request for scores.

    Attributes:
        targets: The names of the targets.
        values: Raw scores, (sequences, targets).
        model_digest: 64 hexadecimal digits.
        cost: The cost of the scores.
    """

    targets: tuple[str, ...]
    values: NDArray[np.float64]
    model_digest: str
    cost: Cost


class Explainer:
    """Answers requests. Thread-safe; each call runs in the caller's thread.

    Args:
        models: The models that can be explained.
        backgrounds: Stored backgrounds.
        explanations: Stored explanations.
        observer: Receives records of what happens, for logs and metrics.
        limits: The service's limits.
        workers: Run the models.
        levels: The levels that a request can ask for.
        diagnostics: Switches for finding out where a number comes from.
        flights: The answers that are being computed, so that equal requests wait for the same one. Explainers that
            share a store also share these.
    """

    def __init__(
        self,
        models: ModelResolver,
        backgrounds: BackgroundFinder,
        explanations: Explanations,
        observer: Observer,
        limits: Limits,
        workers: Workers,
        levels: LevelRegistry = BUILT_IN_LEVELS,
        diagnostics: Diagnostics = NO_DIAGNOSTICS,
        flights: Flights | None = None,
    ) -> None:
        self._models, self._backgrounds, self._explanations = models, backgrounds, explanations
        self._observer, self._limits = observer, limits
        self._workers = workers
        self._levels, self._diagnostics = levels, diagnostics
        self._pipeline = Pipeline(
            limits,
            observer,
            BackgroundStateCache(),
            DesignCache(limits.max_design_bytes),
            levels,
            diagnostics,
        )
        self._flights: Flights = flights or SingleFlight()

    def explain(self, request: ExplainRequest, deadline: Deadline) -> Explanation:
        """Explains one score, or returns the stored answer to the same request. Raises as `answer` does."""
        return self.answer(request, deadline).explanation

    def answer(self, request: ExplainRequest, deadline: Deadline) -> EncodedExplanation:
        """Explains one score as `explain` does, and returns the answer with the bytes that were stored of it.

        Raises:
            InvalidInput: The request is invalid.
            NotFound: The model or the background does not exist.
            DoesNotFit: Model, sequence and background do not fit together, or the model failed.
            OutOfTime: The deadline passed before f(X) and f(B) were computed.
            Cancelled: The caller cancelled the request.
            Unavailable: The model, or the store that it comes from, is not available.
        """
        start = deadline.now()
        try:
            answer = self._explain(request, deadline)
        except SequelaError as error:
            seconds = deadline.now() - start
            self._observer.notice(ExplanationFinished(error.reason, seconds, caller_id=request.caller_id))
            raise
        self._observer.notice(_finished(answer.explanation, deadline.now() - start))
        return answer

    def score(self, request: ScoreRequest, deadline: Deadline) -> ScoreResult:
        """Scores sequences without explaining them. Raises as `explain` does."""
        caller = ModelCaller(deadline, self._workers, self._observer)
        path = request.paths.option("targets")
        try:
            model = self._models.resolve(request.model, deadline)
            count = len(request.sequences)
            # Before the model runs, so that a wrong name costs no time.
            columns = scored_targets(model.info.schema, request.targets, count, self._limits, path)
            rows = score_all(model, request, self._limits, caller)
        except DeadlinePassed as late:
            raise _out_of_time(late) from None
        return ScoreResult(columns.names, rows[:, list(columns.columns)], model.info.digest, caller.cost())

    def _explain(self, request: ExplainRequest, deadline: Deadline) -> EncodedExplanation:
        try:
            request = self._with_required_levels(request)
            with StageTimer(self._observer)("resolve"):
                task = resolve(request, self._models, self._backgrounds, self._limits, deadline)
            if request.dry_run:
                return self._try_out(task, deadline)
            endpoint = task.model.endpoint
            # An answer is stored for reuse only if it is certain that the same request would get the same
            # answer.
            if self._diagnostics.active or (endpoint and not endpoint.info.pinned):
                return self._compute(task, deadline)
            return self._reuse_or_compute(task, content_key(task), deadline)
        except DeadlinePassed as late:
            raise _out_of_time(late) from None

    def _with_required_levels(self, request: ExplainRequest) -> ExplainRequest:
        """Adds the levels that the requested levels require. They become part of the answer."""
        levels = self._levels.select_names(request.options.levels, request.paths.option("levels"))
        if levels == request.options.levels:
            return request
        return replace(request, options=replace(request.options, levels=levels))

    def _try_out(self, task: Task, deadline: Deadline) -> EncodedExplanation:
        """Computes an answer without a name. It is neither looked up nor stored, and nobody waits for it."""
        # The record of a tracer has a name all the same.
        return EncodedExplanation(replace(self._run(task, unique_name(), deadline), name=""))

    def _compute(self, task: Task, deadline: Deadline) -> EncodedExplanation:
        """Computes an answer that is not reused, because the endpoint may serve a different model at any time."""
        return self._keep(None, self._run(task, unique_name(), deadline), task, deadline)

    def _reuse_or_compute(self, task: Task, key: str, deadline: Deadline) -> EncodedExplanation:
        """Looks for a stored answer. Of equal concurrent requests, one computes the answer (docs/design.md §6.3)."""
        # Waiting requests look into the store when the first one is done, and compute if it failed.
        with self._flights.lead(key, deadline):
            found = self._explanations.answer(key)
            if found:
                return self._reuse(found, task, key, deadline)
            explanation = self._run(task, content_name(key, task.request), deadline)
            reusable = None if is_target_raised(explanation) else key
            return self._keep(reusable, explanation, task, deadline)

    def _reuse(self, found: Explanation, task: Task, key: str, deadline: Deadline) -> EncodedExplanation:
        """Returns the stored answer under the name of this request.

        An answer already stored under it is not changed.
        """
        cost = Cost(cached=True)
        name = content_name(key, task.request)
        # The same request was answered before: return exactly what was stored.
        if found.name == name:
            return EncodedExplanation(replace(found, cost=cost))
        try:
            return EncodedExplanation(replace(self._explanations.get(name).explanation, cost=cost))
        except (NotFound, Unavailable):
            return self._keep(key, _for_request(found, task, name, cost), task, deadline)

    def _keep(
        self, key: str | None, explanation: Explanation, task: Task, deadline: Deadline
    ) -> EncodedExplanation:
        sequence = KeptSequence.of(task.request.sequence)
        content = self._explanations.keep(key, explanation, sequence, deadline.accepted)
        return EncodedExplanation(explanation, content)

    def _run(self, task: Task, name: str, deadline: Deadline) -> Explanation:
        return self._pipeline.run(task, name, ModelCaller(deadline, self._workers, self._observer))


def _for_request(found: Explanation, task: Task, name: str, cost: Cost) -> Explanation:
    """Returns a stored answer to the same content with the name, labels, event notes and caller of this request."""
    request = task.request
    pruned = found.pruning.pruned_events if found.pruning else 0
    infos = request.sequence.events
    # Event values hold the caller's notes, which are not part of the content key.
    shown = shown_events(task.layout, task.prepared.cells, pruned, found.levels, infos)
    answer = replace(
        found,
        name=name,
        create_time=datetime.now(UTC),
        caller_id=request.caller_id,
        labels=dict(request.labels),
        model=task.model.info.name,
        background=task.background_name,
        event_values=shown if found.explained else (),
        cost=cost,
        requested_by=request.requested_by,
    )
    # Reasons quote the caller's notes.
    return replace(answer, reasons=reasons(answer, task.model.info.schema.reasons))


def _finished(explanation: Explanation, seconds: float) -> ExplanationFinished:
    # An explanation from the store was observed when it was computed.
    if explanation.cost.cached:
        return ExplanationFinished(
            _outcome(explanation), seconds, explanation=explanation.name, caller_id=explanation.caller_id
        )
    levels = tuple(
        LevelFacts(
            name,
            level.quality.seconds,
            level.quality.additivity_residual,
            level.quality.largest_standard_error,
        )
        # Levels that were not computed would count as 0 seconds and 0 error.
        for name, level in explanation.levels.items()
        if level.attributions
    )
    pruned = explanation.pruning.pruned_events if explanation.pruning else None
    return ExplanationFinished(
        _outcome(explanation), seconds, pruned, levels, explanation.name, explanation.caller_id
    )


def _outcome(explanation: Explanation) -> str:
    if explanation.cost.cached:
        return "cached"
    if not explanation.explained:
        return "below_minimum"
    if explanation.cut_short:
        return "cut_short"
    return "target_raised" if is_target_raised(explanation) else "ok"


def _out_of_time(late: DeadlinePassed) -> SequelaError:
    """Returns the error for a passed deadline: the cause of the delay if it is known, else OutOfTime."""
    # A call that was repeated until the deadline knows why it failed, which helps more than "out of time".
    if isinstance(late.__cause__, SequelaError):
        return late.__cause__
    return OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed before the sequence could be scored")
