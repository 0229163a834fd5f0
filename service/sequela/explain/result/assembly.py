"""Turns solutions over players into the explanation that is stored and handed out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.game import GameOutcome
from sequela.explain.layout import Layout
from sequela.explain.levels import CellGame, EventGame, LevelContext
from sequela.explain.pruning_scan import Scan
from sequela.explain.request import EventInfo
from sequela.explain.result.display import event_values
from sequela.explain.result.explanation import (
    Attribution,
    EventValues,
    Feature,
    LevelExplanation,
    LevelQuality,
    PerTarget,
    Pruning,
    PruningPoint,
    TargetScore,
)
from sequela.explain.targets import Targets
from sequela.timeshap.cells import Cells
from sequela.timeshap.players import Player, PlayerKind
from sequela.timeshap.pruning import verdict


def level(layout: Layout, played: GameOutcome, gain: NDArray[np.float64]) -> LevelExplanation:
    """One level. gain: f(X) - f(B), (targets,)."""
    rows = range(len(played.players) if played.solution else 0)
    return LevelExplanation(tuple(_attribution(layout, played, row) for row in rows), _quality(played, gain))


def cell_level(
    layout: Layout, game: CellGame, events: GameOutcome, features: GameOutcome, gain: NDArray[np.float64]
) -> LevelExplanation:
    """The cell level, its players flagged where the selection they rest on is uncertain."""
    doubtful_events = {events.players.names[row].last_event for row in game.events.uncertain}
    doubtful_features = {features.players.names[row].feature for row in game.features.uncertain}

    def uncertain(player: Player) -> bool:
        by_event = player.kind in (PlayerKind.CELL, PlayerKind.EVENT_REST)
        by_feature = player.kind in (PlayerKind.CELL, PlayerKind.FEATURE_REST)
        return (by_event and player.last_event in doubtful_events) or (
            by_feature and player.feature in doubtful_features
        )

    played = game.played
    rows = range(len(played.players) if played.solution else 0)
    names = played.players.names
    attributions = tuple(_attribution(layout, played, row, uncertain(names[row])) for row in rows)
    misses = [(events, row) for row in game.events.near_misses]
    misses += [(features, row) for row in game.features.near_misses]
    quality = _quality(
        played,
        gain,
        truncated=game.events.truncated or game.features.truncated,
        near_misses=tuple(_attribution(layout, source, row, True) for source, row in misses),
    )
    return LevelExplanation(attributions, quality)


def pruning(
    scan: Scan, shared: LevelContext, events: EventGame | None, features: GameOutcome | None
) -> Pruning:
    """What pruning did, and P's attribution against the tolerance (docs/design.md §4.3)."""
    done = Pruning(
        pruned_events=scan.pruned,
        tolerance=_floats(shared.tolerance),
        scan_complete=scan.complete,
        curve=tuple(
            PruningPoint(int(split) - shared.extent.length, _floats(importance))
            for split, importance in zip(scan.splits, scan.curve, strict=True)
        ),
    )
    game = events.coarse if events else features
    if game is None or game.solution is None or game.players.names[0].kind is not PlayerKind.PRUNED:
        return done
    value, error = game.solution.values[0], game.solution.errors[0]
    return replace(
        done,
        attribution=_floats(value),
        standard_error=_floats(error),
        verdicts=tuple(map(verdict, value, error, shared.tolerance, shared.history.peak)),
        history_attribution=_history(events.level) if events else (),
        quality=_quality(game, shared.gain),
    )


def _history(played: GameOutcome) -> PerTarget:
    """The sum over the history blocks; empty where P is whole."""
    blocks = [i for i, player in enumerate(played.players.names) if player.kind is PlayerKind.HISTORY]
    if not blocks or played.solution is None:
        return ()
    return _floats(played.solution.values[blocks].sum(axis=0))


def target_scores(
    targets: Targets, linked: NDArray[np.float64], raw: NDArray[np.float64]
) -> tuple[TargetScore, ...]:
    """The rows of `linked` and `raw`: f(B) and f(X), (2, targets), or f(X) alone, (1, targets)."""

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


def features(layout: Layout) -> tuple[Feature, ...]:
    """All features, event features first."""
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
    level: LevelExplanation | None,
    infos: Sequence[EventInfo],
) -> tuple[EventValues, ...]:
    """The events that stand alone as people read them, old to new: the unpruned ones, and history blocks of one
    event. Other pruned events come with the caller's notes only, where there are any.
    """
    first = 1 - cells.length
    single = {each.first_event for each in (level.attributions if level else ()) if _is_one_event(each)}
    return tuple(
        EventValues(
            event=first + row,
            values=event_values(layout, cells, row) if row >= pruned or first + row in single else (),
            info=infos[row] if infos else None,
        )
        for row in range(cells.length)
        if infos or row >= pruned or first + row in single
    )


def _is_one_event(attribution: Attribution) -> bool:
    return attribution.kind is PlayerKind.HISTORY and attribution.first_event == attribution.last_event


def _attribution(layout: Layout, played: GameOutcome, row: int, uncertain: bool = False) -> Attribution:
    assert played.solution is not None
    player = played.players.names[row]
    return Attribution(
        kind=player.kind,
        values=_floats(played.solution.values[row]),
        standard_errors=_floats(played.solution.errors[row]),
        first_event=player.first_event,
        last_event=player.last_event,
        feature=None if player.feature is None else layout.features[player.feature].name,
        selection_uncertain=uncertain,
    )


def _quality(
    played: GameOutcome,
    gain: NDArray[np.float64],
    *,
    truncated: bool = False,
    near_misses: tuple[Attribution, ...] = (),
) -> LevelQuality:
    solution = played.solution
    residual = 0.0 if solution is None else float(np.abs(solution.values.sum(axis=0) - gain).max())
    return LevelQuality(
        stop_reason=played.reason,
        players=len(played.players) - len(played.null),
        coalitions=played.coalitions,
        largest_standard_error=0.0 if solution is None else float(solution.largest_error.max()),
        additivity_residual=residual,
        detail=played.detail,
        clipped_coalitions=played.clipped,
        selection_truncated=truncated,
        near_misses=near_misses,
        seconds=played.seconds,
        estimator=played.estimator,
        null_players=len(played.null),
    )


def _floats(values: NDArray[np.float64]) -> PerTarget:
    return tuple(values.tolist())
