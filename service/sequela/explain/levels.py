"""The levels of an explanation: which game each one plays, and in how much of the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.game import GameOutcome, GameRules, play
from sequela.explain.evaluate.evaluator import Evaluator
from sequela.explain.options import FeatureScope, Level
from sequela.explain.result.explanation import StopReason
from sequela.timeshap.history import History
from sequela.timeshap.players import (
    Extent,
    PlayerKind,
    Players,
    cell_players,
    event_players,
    full_feature_players,
    unpruned_feature_players,
)
from sequela.timeshap.selection import Selection, above, bounded, strongest

SHARES = {Level.EVENT: 0.4, Level.FEATURE: 0.4, Level.CELL: 0.2}
"""Of a deadline's remaining time; what a level leaves passes on to the next."""
SCAN_SHARE = 0.5
"""The most of the remaining time that the pruning scan may take."""
MOST_BLOCKS = 8


@dataclass(frozen=True, slots=True, eq=False)
class LevelContext:
    """What all levels of one explanation share. gain: f(X) - f(B), (targets,); tolerance: η, (targets,). history: what
    the scan knows of the pruned events.
    """

    evaluator: Evaluator
    extent: Extent
    pruned: int
    gain: NDArray[np.float64]
    tolerance: NDArray[np.float64]
    history: History


@dataclass(frozen=True, slots=True, eq=False)
class EventGame:
    """The event level: the coarse game with P whole, and the game that is the level (the same unless
    refined).
    """

    coarse: GameOutcome
    level: GameOutcome


@dataclass(frozen=True, slots=True, eq=False)
class CellGame:
    """The cell level, and the selections it rests on (rows of the event and the feature level)."""

    played: GameOutcome
    events: Selection
    features: Selection


def ends(levels: Iterable[Level], start: float, end: float) -> dict[Level, float]:
    """When each level must stop: shares of the time from `start` to `end`, spread over the levels
    computed.
    """
    wanted = list(levels)
    whole = sum(SHARES[level] for level in wanted)
    if not np.isfinite(end):
        return dict.fromkeys(wanted, end)
    passed, result = 0.0, {}
    for level in wanted:
        passed += SHARES[level]
        result[level] = end if level is wanted[-1] else start + (end - start) * passed / whole
    return result


def play_events(games: LevelContext, rules: GameRules) -> EventGame:
    """Every unpruned event and P."""
    played = _play_blocks(games, rules, (games.pruned,) if games.pruned else ())
    return EventGame(played, played)


def play_history(games: LevelContext, rules: GameRules) -> EventGame:
    """Every unpruned event and the history blocks: P is split while a part of it matters or hides something
    (docs/design.md §4.3).
    """
    blocks: tuple[int, ...] = (games.pruned,) if games.pruned else ()
    coarse = level = _play_blocks(games, rules, blocks)
    while level.solution is not None and not level.out_of_time and len(blocks) < MOST_BLOCKS:
        parts = slice(0, len(blocks))
        index = games.history.to_split(blocks, level.solution.values[parts], level.solution.errors[parts])
        if index is None:
            break
        blocks = games.history.split(blocks, index)
        finer = _play_blocks(games, rules, blocks)
        if finer.solution is None:
            # The last game that was played stands; what kept it from being refined is said beside it.
            detail = f"history is not refined further: {finer.detail}"
            return EventGame(coarse, replace(level, detail=detail, out_of_time=finer.out_of_time))
        level = finer
    return EventGame(coarse, level)


def _play_blocks(games: LevelContext, rules: GameRules, blocks: tuple[int, ...]) -> GameOutcome:
    return play(games.evaluator, event_players(games.extent, blocks), games.gain, rules)


def play_features(games: LevelContext, rules: GameRules, scope: FeatureScope) -> GameOutcome:
    """Every feature, in the scope asked for."""
    return play(games.evaluator, _feature_players(games, scope), games.gain, rules)


def _feature_players(games: LevelContext, scope: FeatureScope) -> Players:
    if scope is FeatureScope.FULL_SEQUENCE:
        return full_feature_players(games.extent)
    return unpruned_feature_players(games.extent, games.pruned)


@dataclass(frozen=True, slots=True, eq=False)
class Threshold:
    """Relevant: |φ| > θ for some target, (targets,)."""

    theta: NDArray[np.float64]

    def choose(self, played: GameOutcome, rows: NDArray[np.intp], _: PlayerKind) -> Selection:
        """Of these rows of a level."""
        assert played.solution is not None
        return above(played.solution.values[rows], played.solution.errors[rows], self.theta)


@dataclass(frozen=True, slots=True)
class Ranks:
    """Relevant: the events and the features with the largest |φ|."""

    events: int
    features: int

    def choose(self, played: GameOutcome, rows: NDArray[np.intp], kind: PlayerKind) -> Selection:
        """Of these rows of a level."""
        assert played.solution is not None
        count = self.events if kind is PlayerKind.EVENT else self.features
        return strongest(played.solution.values[rows], played.solution.errors[rows], count)


Choice = Threshold | Ranks


def play_cells(
    games: LevelContext, rules: GameRules, events: GameOutcome, features: GameOutcome, choice: Choice
) -> CellGame:
    """The groups of cells of the relevant events and features (TimeSHAP §3.3)."""
    for name, needed in (("event", events), ("feature", features)):
        if needed.solution is None:
            detail = f"needs the {name} level, which was not computed: {needed.detail}"
            none = Selection(())
            return CellGame(
                GameOutcome(event_players(games.extent, ()), StopReason.NOT_COMPUTED, detail=detail),
                none,
                none,
            )
    chosen_events, chosen_features = bounded(
        _chosen(events, PlayerKind.EVENT, choice, games.extent),
        _chosen(features, PlayerKind.FEATURE, choice, games.extent),
        extra=min(games.extent.static, 1),
    )
    players = cell_players(
        games.extent,
        games.pruned,
        sorted(_event(events, row) for row in chosen_events.chosen),
        sorted(_feature(features, row) for row in chosen_features.chosen),
    )
    return CellGame(play(games.evaluator, players, games.gain, rules), chosen_events, chosen_features)


def _chosen(played: GameOutcome, kind: PlayerKind, choice: Choice, extent: Extent) -> Selection:
    """A selection in rows of the level: only single events, and only features that lie in events. Null players are
    never chosen, nor counted by a rank: their cells would all be 0.
    """
    rows = np.array(
        [
            row
            for row, player in enumerate(played.players.names)
            if player.kind is kind
            and row not in played.null
            and (player.feature is None or player.feature < extent.features)
        ],
        dtype=np.intp,
    )
    picked = choice.choose(played, rows, kind)
    return Selection(
        chosen=tuple(int(rows[i]) for i in picked.chosen),
        uncertain=frozenset(int(rows[i]) for i in picked.uncertain),
        near_misses=tuple(int(rows[i]) for i in picked.near_misses),
        truncated=picked.truncated,
    )


def _event(played: GameOutcome, row: int) -> int:
    event = played.players.names[row].last_event
    assert event is not None
    return event


def _feature(played: GameOutcome, row: int) -> int:
    feature = played.players.names[row].feature
    assert feature is not None
    return feature
