"""The method, step by step: score -> prune -> levels -> result (docs/design.md §4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sequela.explain.base_and_score import ScoredTask, score_task
from sequela.explain.diagnostics import NO_DIAGNOSTICS, Diagnostics
from sequela.explain.estimate.design_cache import DesignCache
from sequela.explain.estimate.estimator_choice import with_estimator
from sequela.explain.estimate.question_size import QuestionBudget
from sequela.explain.evaluate.choose_execution import choose_execution, execution_name
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.prefix_states.state_cache import BackgroundStateCache
from sequela.explain.event_weights import event_weights
from sequela.explain.explanation import Cost, Explanation
from sequela.explain.levels.definition import LevelContext
from sequela.explain.levels.play import LevelPlayer
from sequela.explain.levels.registry import BUILT_IN_LEVELS, LevelRegistry
from sequela.explain.limits import Limits
from sequela.explain.option_defaults import NO_TOLERANCES, Tolerances, link_of, tolerances
from sequela.explain.ports import Observer
from sequela.explain.pruning_scan import Scan, scan_for
from sequela.explain.result.answer_warnings import with_caveats, with_whole_numbers_noted
from sequela.explain.result.assembly import basic_explanation, explained
from sequela.explain.result.raised_target import with_target_noted
from sequela.explain.stage_timer import StageTimer
from sequela.explain.task import Task
from sequela.explain.tracer import ExplanationTrace
from sequela.timeshap.history import history


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """Computes explanations. Shared by all requests; safe to use from several threads at once.

    Attributes:
        limits: The service's limits.
        observer: Receives the duration of each step.
        background_states: States of backgrounds that all requests share.
        designs: The cache of designs, shared by all requests.
        levels: The levels that a request can ask for.
        diagnostics: Switches for finding out where a number comes from.
    """

    limits: Limits
    observer: Observer
    background_states: BackgroundStateCache
    designs: DesignCache
    levels: LevelRegistry = BUILT_IN_LEVELS
    diagnostics: Diagnostics = NO_DIAGNOSTICS

    def run(self, task: Task, name: str, caller: ModelCaller) -> Explanation:
        """Explains one score.

        Args:
            task: The request with its model, background and sequence.
            name: The name of the explanation. One that the deadline cut short gets a random name instead.
            caller: Runs the model, within the deadline of the request.

        Raises:
            DeadlinePassed: The deadline passed before f(X) and f(B) were computed.
            Cancelled: The caller cancelled the request.
            DoesNotFit: The model failed, or cannot be run with the forced execution.
            InvalidInput: QUESTION_TOO_LARGE.
        """
        trace = self.diagnostics.tracer.explanation(name, task)
        try:
            explanation = self._explain(task, name, caller, trace)
        except BaseException as error:
            # Cancelled and passed deadlines are recorded too, so that no record stays open.
            trace.failed(error)
            raise
        trace.finished(explanation)
        return explanation

    def _explain(self, task: Task, name: str, caller: ModelCaller, trace: ExplanationTrace) -> Explanation:
        started, timer = caller.deadline.now(), StageTimer(self.observer)
        with timer("score"):
            scored = score_task(task, self._evaluator(task, caller, trace))
            weights = event_weights(task, caller) if scored.scores.has_base else ()
        trace.scored(scored)
        caller.deadline.end_levels()
        # A request that must share the server always gets its scores, and of the rest as much as time allows.
        caller.deadline.give_way(started + task.request.share_seconds)
        # Below the minimum score nothing is explained, and f(B) was not even computed.
        if not scored.scores.has_base:
            return basic_explanation(scored.task, name, scored.scores, NO_TOLERANCES, _cost(caller, timer))
        levels = self.levels.select(task.request.options.levels)
        # Default tolerances are fractions of the difference, so they are known only now.
        used = tolerances(
            task.request.options,
            task.model.info.schema,
            scored.scores.base,
            scored.scores.score,
            task.request.error_factor,
        )
        with timer("prune"):
            scan = scan_for(scored, used.pruning, levels)
        trace.pruned(scan.pruned, scan.splits, scan.curve, scan.complete)
        # Behind an endpoint the estimator follows from the time that rows took so far, so it is chosen after the scan.
        chosen = with_estimator(scored.task, scan.pruned)
        context = _context(replace(scored, task=chosen), used, scan)
        player = LevelPlayer(
            context, task.model.endpoint, self.limits, self._budget(task), timer, trace, self.designs
        )
        results = player.play(levels)
        # The cost is read after the last game.
        basis = basic_explanation(chosen, name, scored.scores, used, _cost(caller, timer))
        basis = replace(basis, event_weights=weights)
        answer = explained(basis, chosen, scan, context, levels, results)
        answer = with_caveats(answer, chosen, scored.scores, context, results)
        if caller.scores_are_whole_numbers:
            answer = with_whole_numbers_noted(answer)
        return with_target_noted(answer, chosen.request, results)

    def _budget(self, task: Task) -> QuestionBudget:
        return QuestionBudget(self.limits.max_question_bytes, task.request.paths.option("targets"))

    def _evaluator(self, task: Task, caller: ModelCaller, trace: ExplanationTrace) -> Evaluator:
        execution = choose_execution(task, caller, self.background_states, self.diagnostics.execution)
        trace.execution_chosen(execution_name(execution))
        link = link_of(task.request.options, task.model.info.schema)
        return Evaluator(execution, task.targets.columns, link, caller)


def _context(scored: ScoredTask, used: Tolerances, scan: Scan) -> LevelContext:
    task = scored.task
    return LevelContext(
        evaluator=scored.evaluator,
        layout=task.layout,
        extent=task.extent,
        options=task.request.options,
        tolerances=used,
        pruned=scan.pruned,
        history=history(scan.pruned, scan.splits, scan.curve, used.pruning),
        gain=scored.scores.gain,
    )


def _cost(caller: ModelCaller, timer: StageTimer) -> Cost:
    return replace(caller.cost(), stage_seconds=dict(timer.seconds))
