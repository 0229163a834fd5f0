"""The cell level: the cells of the relevant events and features (TimeSHAP §3.3, Eq. 8-12, docs/design.md §4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sequela.explain.estimate.rules import GameRules
from sequela.explain.explanation import LevelExplanation, StopReason
from sequela.explain.game_outcome import GameOutcome
from sequela.explain.levels.definition import LevelContext, LevelDefinition, LevelResult, LevelResults
from sequela.explain.levels.level_assembly import SelectionNotes, level_explanation
from sequela.explain.option_defaults import top_k
from sequela.explain.options import Level
from sequela.timeshap.players import Extent, Player, PlayerKind, cell_players, event_players
from sequela.timeshap.selection import Selection, above, limit_players, strongest

NOTHING_SELECTED = Selection(())


@dataclass(frozen=True, slots=True, eq=False)
class CellResult(LevelResult):
    """The result of the cell level.

    Attributes:
        events: The relevant events, by row of the event level.
        features: The relevant features, by row of the feature level.
    """

    events: Selection
    features: Selection

    @property
    def nothing_relevant(self) -> bool:
        """As in `LevelResult`: there are no single cells, because no event or no feature was relevant."""
        return self.outcome.solution is not None and not (self.events.chosen and self.features.chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Threshold:
    """Selects the players with |φ| > θ for at least one target. `theta` is (targets,)."""

    theta: NDArray[np.float64]

    def choose(self, outcome: GameOutcome, rows: NDArray[np.intp], _: PlayerKind) -> Selection:
        """Chooses among these rows of a level that was solved."""
        assert outcome.solution is not None
        return above(outcome.solution.values[rows], outcome.solution.errors[rows], self.theta)


@dataclass(frozen=True, slots=True)
class TopRanks:
    """Selects the events and the features with the largest |φ|, up to the given numbers."""

    events: int
    features: int

    def choose(self, outcome: GameOutcome, rows: NDArray[np.intp], kind: PlayerKind) -> Selection:
        """Chooses among these rows of a level that was solved."""
        assert outcome.solution is not None
        count = self.events if kind is PlayerKind.EVENT else self.features
        return strongest(outcome.solution.values[rows], outcome.solution.errors[rows], count)


Criterion = Threshold | TopRanks


def play_cells(context: LevelContext, rules: GameRules, results: LevelResults) -> CellResult:
    """Plays the cells where relevant events and features meet, and the groups of all other cells."""
    for name in (Level.EVENT, Level.FEATURE):
        needed = results[name].outcome
        if needed.solution is None:
            detail = f"it needs the {name} level, which was not computed: {needed.detail}"
            players = event_players(context.extent, ())
            outcome = GameOutcome(players, StopReason.NOT_COMPUTED, detail=detail)
            return CellResult(outcome, NOTHING_SELECTED, NOTHING_SELECTED)
    events, features = results[Level.EVENT].outcome, results[Level.FEATURE].outcome
    # Every pair of an event and a feature is a player, so the number of players is bounded here.
    chosen_events, chosen_features = limit_players(
        _selection(context, events, PlayerKind.EVENT),
        _selection(context, features, PlayerKind.FEATURE),
        extra=min(context.extent.static, 1),
    )
    # Players are in the order of events and features, not of strength, so that equal selections are equal
    # games.
    players = cell_players(
        context.extent,
        context.pruned,
        sorted(_event(events, row) for row in chosen_events.chosen),
        sorted(_feature(features, row) for row in chosen_features.chosen),
    )
    return CellResult(context.play(players, rules), chosen_events, chosen_features)


def _criterion(context: LevelContext) -> Criterion:
    ranks = top_k(context.options)
    if ranks:
        return TopRanks(*ranks)
    assert context.tolerances.cells is not None
    return Threshold(context.tolerances.cells)


def _selection(context: LevelContext, outcome: GameOutcome, kind: PlayerKind) -> Selection:
    """Selects the relevant players of a level, by row."""
    rows = _candidates(outcome, kind, context.extent)
    picked = _criterion(context).choose(outcome, rows, kind)
    return Selection(
        chosen=tuple(int(rows[i]) for i in picked.chosen),
        uncertain=frozenset(int(rows[i]) for i in picked.uncertain),
        near_misses=tuple(int(rows[i]) for i in picked.near_misses),
        truncated=picked.truncated,
    )


def _candidates(outcome: GameOutcome, kind: PlayerKind, extent: Extent) -> NDArray[np.intp]:
    """Returns the rows to choose from: single events, or features that vary over events.

    Null players are excluded and do not count towards a top k, because all of their cells would be 0.
    """
    return np.array(
        [
            row
            for row, player in enumerate(outcome.players.names)
            if player.kind is kind
            and row not in outcome.null
            and (player.feature is None or player.feature < extent.features)
        ],
        dtype=np.intp,
    )


def _event(outcome: GameOutcome, row: int) -> int:
    event = outcome.players.names[row].last_event
    assert event is not None
    return event


def _feature(outcome: GameOutcome, row: int) -> int:
    feature = outcome.players.names[row].feature
    assert feature is not None
    return feature


def _assemble(context: LevelContext, result: LevelResult, results: LevelResults) -> LevelExplanation:
    """Assembles the level, with notes on how certain its selection of events and features is."""
    assert isinstance(result, CellResult)
    events, features = results[Level.EVENT].outcome, results[Level.FEATURE].outcome
    uncertain_events = {_event(events, row) for row in result.events.uncertain}
    uncertain_features = {_feature(features, row) for row in result.features.uncertain}

    def is_uncertain(player: Player) -> bool:
        # A cell is uncertain if its event or its feature is; a rest if the event or feature that it belongs to
        # is.
        by_event = player.kind in (PlayerKind.CELL, PlayerKind.EVENT_REST)
        by_feature = player.kind in (PlayerKind.CELL, PlayerKind.FEATURE_REST)
        return (by_event and player.last_event in uncertain_events) or (
            by_feature and player.feature in uncertain_features
        )

    notes = SelectionNotes(
        is_uncertain=is_uncertain,
        near_misses=(
            *((events, row) for row in result.events.near_misses),
            *((features, row) for row in result.features.near_misses),
        ),
        truncated=result.events.truncated or result.features.truncated,
    )
    return level_explanation(context.layout, result.outcome, context.gain, notes)


CELL_LEVEL = LevelDefinition(
    name=Level.CELL.value,
    time_share=0.2,
    play=play_cells,
    requires=(Level.EVENT, Level.FEATURE),
    assemble=_assemble,
)
