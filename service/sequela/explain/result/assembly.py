"""Assembles the explanation that is stored and returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sequela.explain.base_and_score import BaseAndScore
from sequela.explain.explanation import (
    Attribution,
    Cost,
    EventValues,
    Explanation,
    Feature,
    LevelExplanation,
    PerTarget,
    Pruning,
    PruningPoint,
    TargetScore,
)
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.identity import unique_name
from sequela.explain.layout import Layout
from sequela.explain.levels.definition import LevelContext, LevelDefinition, LevelResults
from sequela.explain.levels.level_assembly import level_quality, per_target
from sequela.explain.object_cache import kept_for_object
from sequela.explain.option_defaults import Tolerances, resolve_options
from sequela.explain.pruning_scan import Scan, needs_scan
from sequela.explain.request import EventInfo
from sequela.explain.result.answer_warnings import outputs_left_out
from sequela.explain.result.display import event_values, static_values
from sequela.explain.result.reasons import reasons
from sequela.explain.targets import Targets
from sequela.explain.task import Task
from sequela.timeshap.cells import Cells
from sequela.timeshap.players import PlayerKind
from sequela.timeshap.pruning import verdict


def basic_explanation(
    task: Task, name: str, scores: BaseAndScore, used: Tolerances, cost: Cost
) -> Explanation:
    """Returns the part of the answer that every request gets, even if its score is below the minimum."""
    request, info = task.request, task.model.info
    # Warnings come first from the model, then from the request, then from the answer.
    left_out = outputs_left_out(request.options, len(task.targets.names), info.schema)
    return Explanation(
        name=name,
        create_time=datetime.now(UTC),
        caller_id=request.caller_id,
        labels=dict(request.labels),
        model=info.name,
        model_digest=info.digest,
        background=task.background_name,
        background_digest=task.background.digest,
        event_count=task.prepared.cells.length,
        targets=target_scores(task.targets, scores.linked, scores.raw),
        explained=False,
        pruning=None,
        levels={},
        options=resolve_options(request.options, task.model, used),
        features=features(task.layout),
        event_values=(),
        static_values=(),
        cost=cost,
        warnings=(*info.warnings, *task.warnings, *left_out),
        output_count=len(info.schema.targets),
        requested_by=request.requested_by,
    )


def explained(
    basis: Explanation,
    task: Task,
    scan: Scan,
    context: LevelContext,
    levels: Sequence[LevelDefinition],
    results: LevelResults,
) -> Explanation:
    """Adds the results of pruning and levels to the basic answer.

    An answer that the deadline cut short gets a random name, because it must not be reused.
    """
    layout, cells, request = task.layout, task.prepared.cells, task.request
    assembled = {each.name: each.assemble(context, results[each.name], results) for each in levels}
    answer = replace(
        basis,
        explained=True,
        pruning=pruning(scan, context, results) if needs_scan(request.options, levels) else None,
        levels=assembled,
        event_values=shown_events(layout, cells, scan.pruned, assembled, request.sequence.events),
        static_values=static_values(layout, cells),
    )
    answer = replace(answer, reasons=reasons(answer, task.model.info.schema.reasons))
    # Coarse games count too, since P is judged by them.
    games = (game for result in results.values() for game in result.games)
    if scan.complete and not any(game.out_of_time for game in games):
        return answer
    return replace(answer, name=unique_name(), cut_short=True)


def pruning(scan: Scan, context: LevelContext, results: LevelResults) -> Pruning:
    """Returns the pruning part of the answer, which compares the attribution of P with η (docs/design.md §4.3).

    P is judged in the first level that was played, which is the event level if the request asks for it.
    """
    tolerance = context.tolerances.pruning
    found = Pruning(
        pruned_events=scan.pruned,
        tolerance=per_target(tolerance),
        scan_complete=scan.complete,
        curve=tuple(
            PruningPoint(int(split) - context.extent.length, per_target(importance))
            for split, importance in zip(scan.splits, scan.curve, strict=True)
        ),
    )
    first = next(iter(results.values()), None)
    if first is None or not _has_pruned_block(first.unrefined):
        return found
    game = first.unrefined
    assert game.solution is not None
    # P is the first player of every level that has it.
    value, error = game.solution.values[0], game.solution.errors[0]
    return replace(
        found,
        attribution=per_target(value),
        standard_error=per_target(error),
        verdicts=tuple(map(verdict, value, error, tolerance, context.history.peak)),
        history_attribution=_history(first.outcome),
        quality=level_quality(game, context.gain, context.layout),
    )


def _has_pruned_block(game: GameOutcome) -> bool:
    """Returns whether the game was solved and its first player is P."""
    return game.solution is not None and game.players.names[0].kind is PlayerKind.PRUNED


def _history(outcome: GameOutcome) -> PerTarget:
    """Returns the sum of the attributions of the history blocks for each target, or () if P was not split."""
    blocks = [i for i, player in enumerate(outcome.players.names) if player.kind is PlayerKind.HISTORY]
    if not blocks or outcome.solution is None:
        return ()
    return per_target(outcome.solution.values[blocks].sum(axis=0))


def target_scores(
    targets: Targets, linked: NDArray[np.float64], raw: NDArray[np.float64]
) -> tuple[TargetScore, ...]:
    """Returns the scores of the targets.

    `linked` and `raw` are f(B) and f(X), (2, targets), or only f(X), (1, targets).
    """

    def base(rows: NDArray[np.float64], target: int) -> float | None:
        return float(rows[0, target]) if len(rows) > 1 else None

    return tuple(
        TargetScore(
            name=name,
            base_value=base(linked, i),
            score=float(linked[-1, i]),
            raw_base_value=base(raw, i),
            raw_score=float(raw[-1, i]),
            label=label,
        )
        for i, (name, label) in enumerate(zip(targets.names, targets.labels, strict=True))
    )


@kept_for_object
def features(layout: Layout) -> tuple[Feature, ...]:
    """Returns all features, event features first."""
    return tuple(
        Feature(
            name=item.name,
            label=item.label or item.name,
            unit=item.unit,
            description=item.description,
            static=index >= layout.columns.features,
        )
        for index, item in enumerate(layout.features)
    )


def shown_events(
    layout: Layout,
    cells: Cells,
    pruned: int,
    levels: Mapping[str, LevelExplanation],
    infos: Sequence[EventInfo],
) -> tuple[EventValues, ...]:
    """Returns the displayed values of the events that are players of their own, oldest first.

    These are the unpruned events and history blocks of a single event. Other pruned events are only included if the
    caller sent notes on them, and without values.

    Args:
        layout: The model's features.
        cells: The sequence.
        pruned: The number of pruned events.
        levels: The levels of the answer.
        infos: The caller's notes, one for each event or none.
    """
    first = 1 - cells.length
    attributions = (each for level in levels.values() for each in level.attributions)
    single = {each.first_event for each in attributions if _is_one_event(each)} if pruned else ()
    rows = [row for row in range(cells.length) if row >= pruned or first + row in single]
    values = dict(zip(rows, event_values(layout, cells, rows), strict=True))
    if not infos:
        return tuple(EventValues(first + row, texts) for row, texts in values.items())
    return tuple(EventValues(first + row, values.get(row, ()), info) for row, info in enumerate(infos))


def _is_one_event(attribution: Attribution) -> bool:
    """Returns whether this is a history block of a single event."""
    return attribution.kind is PlayerKind.HISTORY and attribution.first_event == attribution.last_event
