"""Works out one task: score -> prune -> events -> features -> cells -> Explanation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sequela.concurrency.deadline import Deadline
from sequela.explain.estimate.game import GameOutcome, GameRules
from sequela.explain.estimate.solvers import estimator_for, settled
from sequela.explain.evaluate.evaluator import Evaluator, Execution
from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.evaluate.prefix_states.execution import PrefixStateExecution
from sequela.explain.evaluate.prefix_states.state_cache import BackgroundStateCache, PrefixStates
from sequela.explain.evaluate.remote import RemoteExecution, Rows, Sender, row_bytes
from sequela.explain.evaluate.whole import WholeExecution
from sequela.explain.identity import unique_name
from sequela.explain.levels import (
    SCAN_SHARE,
    CellGame,
    Choice,
    EventGame,
    LevelContext,
    Ranks,
    Threshold,
    ends,
    play_cells,
    play_events,
    play_features,
    play_history,
)
from sequela.explain.limits import Limits
from sequela.explain.link import linked
from sequela.explain.option_defaults import (
    NO_TOLERANCES,
    Tolerances,
    budget_of,
    link_of,
    needed_levels,
    resolved,
    tolerances,
    top_k,
)
from sequela.explain.options import Estimator, FeatureScope, Level, Options
from sequela.explain.ports import Observer
from sequela.explain.pruning_scan import Scan, Scanner, not_scanned
from sequela.explain.result import assembly
from sequela.explain.result.answer_warnings import (
    Difference,
    history_offsets,
    limits_of,
    outputs_clipped,
    outputs_left_out,
    tolerance_exceeds_difference,
)
from sequela.explain.result.display import static_values
from sequela.explain.result.explanation import Explanation, ExplanationWarning, Pruning
from sequela.explain.schema import Link
from sequela.explain.task import Task
from sequela.explain.telemetry import StageDone
from sequela.timeshap.coalitions import EXACT_AT_ONCE
from sequela.timeshap.history import history
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import Extent, event_players
from sequela.timeshap.pruning import ladder

LEAP = 0.25
"""Of the time left, what a stage at an endpoint may take to be gone to at once."""
SERVED_AT_ONCE = 256
"""Coalitions of a game that an endpoint's model is asked about at once: more may not be needed, and are money."""


@dataclass(frozen=True, slots=True, eq=False)
class BaseAndScore:
    """f(B) and f(X), (2, targets) each, or f(X) alone, (1, targets): raw and after the link."""

    raw: NDArray[np.float64]
    linked: NDArray[np.float64]

    @property
    def base(self) -> NDArray[np.float64]:
        """f(B) after the link, (targets,)."""
        return np.asarray(self.linked[0])

    @property
    def score(self) -> NDArray[np.float64]:
        """f(X) after the link, (targets,)."""
        return np.asarray(self.linked[1])

    @property
    def gain(self) -> NDArray[np.float64]:
        """f(X) - f(B), (targets,)."""
        return self.score - self.base


@dataclass(slots=True)
class StageTimer:
    """Wall time by stage."""

    observer: Observer
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Times one stage and tells the observer."""
        start = Deadline.now()
        yield
        self.seconds[name] = Deadline.now() - start
        self.observer.notice(StageDone(name, self.seconds[name]))


@dataclass(frozen=True, slots=True, eq=False)
class LevelGames:
    """The games played; None where a level was not asked for."""

    events: EventGame | None = None
    features: GameOutcome | None = None
    cells: CellGame | None = None

    @property
    def played(self) -> list[GameOutcome]:
        """All of them."""
        games = [
            self.events and self.events.level,
            self.events and self.events.coarse,
            self.features,
            self.cells and self.cells.played,
        ]
        return [game for game in games if game]


def work_out(
    task: Task,
    name: str,
    limits: Limits,
    caller: ModelCaller,
    prefix_states: BackgroundStateCache,
    observer: Observer,
) -> Explanation:
    """The explanation of a task, under its name; one that the deadline cut short gets a name of its own.

    Raises TimeUp where not even f(X) and f(B) fit into the time, Cancelled, and DoesNotFit where the model fails.
    """
    options, stages = task.request.options, StageTimer(observer)
    evaluator = _evaluator(task, caller, prefix_states)
    with stages("score"):
        raw = _raw_scores(task, evaluator)
        order = task.targets.by_score(raw[-1])
        task, evaluator = replace(task, targets=task.targets.picked(order)), evaluator.of(order)
        scores = BaseAndScore(raw[:, order], linked(evaluator.link, raw[:, order]).values)
    if len(raw) < 2:
        return _answer(task, name, scores, NO_TOLERANCES, caller, stages)
    used = tolerances(options, task.model.info.schema, scores.base, scores.score)
    with stages("prune"):
        found = _prune(task, evaluator, scores, used)
    inside = history(found.pruned, found.splits, found.curve, used.pruning)
    shared = LevelContext(evaluator, _extent(task), found.pruned, scores.gain, used.pruning, inside)
    chosen = _with_estimator(task, found.pruned)
    games = _play(shared, chosen, used, limits, stages)
    answer = _answer(chosen, name, scores, used, caller, stages)
    explained = _explained(answer, chosen, found, shared, games)
    caveats = _caveats(chosen, scores, used, shared, games, explained.pruning)
    return replace(explained, warnings=(*answer.warnings, *caveats))


def _evaluator(task: Task, caller: ModelCaller, shared: BackgroundStateCache) -> Evaluator:
    link = link_of(task.request.options, task.model.info.schema)
    return Evaluator(_runs(task, caller, shared), task.targets.columns, link, caller)


def _runs(task: Task, caller: ModelCaller, shared: BackgroundStateCache) -> Execution:
    """By its endpoint where it is served elsewhere; here from states where it can be run so."""
    model, fitted, event = task.model, task.fitted, task.request.options.output_event
    masker = Masker(fitted.cells, task.background_cells(), task.layout.columns)
    if model.endpoint:
        size = row_bytes(model, fitted.cells, fitted.frame)
        rows = Rows(Sender(model, model.endpoint, caller), fitted.frame, event, size)
        return RemoteExecution(rows, masker)
    if model.recurrence is None:
        return WholeExecution(model, masker, fitted.frame, event, caller)
    prefix_states = PrefixStates(
        model.recurrence, masker, fitted.frame, ladder(fitted.cells.length), caller, shared, _shared_key(task)
    )
    return PrefixStateExecution(model, model.recurrence, masker, fitted.frame, event, prefix_states, caller)


def _shared_key(task: Task) -> str | None:
    """What a background's states depend on: an average event's on nothing but the events run, a matrix's on the
    sequence's length too; padding is the sequence's own.
    """
    if len(task.fitted.frame.before[0]):
        return None
    length = task.fitted.cells.length if task.background.length > 1 else 0
    return f"{task.model.info.digest}/{task.background.digest}/{length}"


def _extent(task: Task) -> Extent:
    return task.layout.extent(task.fitted.cells.length)


def _raw_scores(task: Task, evaluator: Evaluator) -> NDArray[np.float64]:
    """f(B) and f(X) before the link, (2, targets); f(X) alone, (1, targets), where the first target's is below the
    minimum: then nothing more is asked of the model.
    """
    players, least = event_players(_extent(task), ()), task.request.options.minimum_score
    if least is not None:
        raw = evaluator.score(players)
        if raw[0, task.targets.by_score(raw[0])[0]] < least:
            return raw
    return evaluator.endpoints(players)


def _with_estimator(task: Task, pruned: int) -> Task:
    """With one estimator for all levels, so that the answer's own options ask for the same again."""
    options = task.request.options
    chosen = settled(options, task.model.endpoint) or _suited(task, pruned)
    return replace(task, request=replace(task.request, options=replace(options, estimator=chosen)))


def _suited(task: Task, pruned: int) -> Estimator:
    """The one that suits what rows have been found to take."""
    endpoint = task.model.endpoint
    assert endpoint is not None
    players = max(task.fitted.cells.length - pruned, len(task.layout.features)) + 1
    size = row_bytes(task.model, task.fitted.cells, task.fitted.frame)
    return estimator_for(endpoint, size, budget_of(task.request.options, endpoint), players)


def _prune(task: Task, evaluator: Evaluator, scores: BaseAndScore, used: Tolerances) -> Scan:
    options = task.request.options
    if not _needs_scan(options):
        return not_scanned(len(scores.base))
    deadline = evaluator.deadline
    until = deadline.now() + SCAN_SHARE * deadline.remaining
    scanner = Scanner(evaluator, _extent(task), scores.base, scores.score, used.pruning, until)
    if options.full_pruning_curve:
        return scanner.whole_curve()
    return scanner.beyond_the_cut() if _opens_history(task) else scanner.to_the_cut()


def _opens_history(task: Task) -> bool:
    """Whether the curve within P is needed: it says where to split. At an endpoint it may take no more rows than a
    level does; where it would, P is split as far as the cut's own scan went, and in halves.
    """
    options, endpoint = task.request.options, task.model.endpoint
    rows = 2 * (task.fitted.cells.length - 1)
    wanted = options.refine_history and Level.EVENT in needed_levels(options.levels)
    return wanted and (endpoint is None or rows <= budget_of(options, endpoint))


def _needs_scan(options: Options) -> bool:
    """Features over the full sequence, asked for alone, rest on no cut."""
    whole = options.feature_scope is FeatureScope.FULL_SEQUENCE
    return options.full_pruning_curve or not (whole and needed_levels(options.levels) == (Level.FEATURE,))


def _play(
    shared: LevelContext, task: Task, used: Tolerances, limits: Limits, stages: StageTimer
) -> LevelGames:
    options = task.request.options
    wanted = needed_levels(options.levels)
    budget = budget_of(options, task.model.endpoint)
    deadline = shared.evaluator.deadline
    until = ends(wanted, deadline.now(), deadline.end)

    def rules(level: Level) -> GameRules:
        return GameRules(
            budget,
            limits.max_players,
            used.standard_error,
            options.seed,
            until[level],
            options.estimator or Estimator.REGRESSION,
            SERVED_AT_ONCE if task.model.endpoint else EXACT_AT_ONCE,
            # In this process a stage costs no way, and how values are batched is to follow from the question alone.
            LEAP if task.model.endpoint else 0.0,
        )

    games = LevelGames()
    if Level.EVENT in wanted:
        with stages("event"):
            play_level = play_history if options.refine_history else play_events
            games = replace(games, events=play_level(shared, rules(Level.EVENT)))
    if Level.FEATURE in wanted:
        with stages("feature"):
            played = play_features(shared, rules(Level.FEATURE), options.feature_scope)
            games = replace(games, features=played)
    if Level.CELL in wanted and games.events and games.features:
        with stages("cell"):
            choice = _choice(options, used)
            played_cells = play_cells(shared, rules(Level.CELL), games.events.level, games.features, choice)
            games = replace(games, cells=played_cells)
    return games


def _choice(options: Options, used: Tolerances) -> Choice:
    ranks = top_k(options)
    if ranks:
        return Ranks(*ranks)
    assert used.cells is not None
    return Threshold(used.cells)


def _answer(
    task: Task, name: str, scores: BaseAndScore, used: Tolerances, caller: ModelCaller, stages: StageTimer
) -> Explanation:
    """The part of the answer that every question gets."""
    request = task.request
    return Explanation(
        name=name,
        create_time=datetime.now(UTC),
        caller_id=request.caller_id,
        labels=dict(request.labels),
        model=task.model.info.name,
        model_digest=task.model.info.digest,
        background=task.background_name,
        background_digest=task.background.digest,
        event_count=task.fitted.cells.length,
        targets=assembly.target_scores(task.targets, scores.linked, scores.raw),
        explained=False,
        pruning=None,
        event_level=None,
        feature_level=None,
        cell_level=None,
        options=resolved(request.options, task.model, used),
        features=assembly.features(task.layout),
        event_values=(),
        static_values=(),
        cost=replace(caller.cost(), stage_seconds=dict(stages.seconds)),
        warnings=(
            *task.model.info.warnings,
            *task.warnings,
            *outputs_left_out(request.options, len(task.targets.names), task.model.info.schema),
        ),
        output_count=len(task.model.info.schema.targets),
    )


def _explained(
    answer: Explanation, task: Task, found: Scan, shared: LevelContext, games: LevelGames
) -> Explanation:
    """The answer with what pruning and the levels found."""
    layout, cells, gain = task.layout, task.fitted.cells, shared.gain
    events = assembly.level(layout, games.events.level, gain) if games.events else None
    features = assembly.level(layout, games.features, gain) if games.features else None
    opened = None
    if games.cells and games.events and games.features:
        opened = assembly.cell_level(layout, games.cells, games.events.level, games.features, gain)
    pruned = _needs_scan(task.request.options)
    answer = replace(
        answer,
        explained=True,
        pruning=assembly.pruning(found, shared, games.events, games.features) if pruned else None,
        event_level=events,
        feature_level=features,
        cell_level=opened,
        event_values=assembly.shown_events(layout, cells, found.pruned, events, task.request.sequence.events),
        static_values=static_values(layout, cells),
    )
    if not found.complete or any(game.out_of_time for game in games.played):
        return replace(answer, name=unique_name(), cut_short=True)
    return answer


def _caveats(
    task: Task,
    scores: BaseAndScore,
    used: Tolerances,
    shared: LevelContext,
    games: LevelGames,
    pruning: Pruning | None,
) -> tuple[ExplanationWarning, ...]:
    """What was found on the way that a reader should know."""
    names, schema, options = task.targets.names, task.model.info.schema, task.request.options
    link = link_of(options, schema)
    absolute = bool(schema.bounded) and link is Link.IDENTITY
    limits = limits_of(options, absolute, used, games.played, games.cells)
    return (
        *(history_offsets(names, shared, games.events, pruning.verdicts) if pruning else ()),
        *tolerance_exceeds_difference(Difference(names, scores.base, scores.score, absolute), limits),
        *(outputs_clipped(names, scores.raw) if link is Link.LOGIT else ()),
    )
