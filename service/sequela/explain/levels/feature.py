"""The feature level: every feature is a player (TimeSHAP Eq. 6, docs/design.md §4.2)."""

from __future__ import annotations

from sequela.explain.estimate.rules import GameRules
from sequela.explain.levels.definition import LevelContext, LevelDefinition, LevelResult, LevelResults
from sequela.explain.options import FeatureScope, Level, Options
from sequela.timeshap.players import Players, full_feature_players, unpruned_feature_players


def play_features(context: LevelContext, rules: GameRules, _: LevelResults) -> LevelResult:
    """Plays the features, in the requested scope."""
    return LevelResult(context.play(_players(context), rules))


def _players(context: LevelContext) -> Players:
    if context.options.feature_scope is FeatureScope.FULL_SEQUENCE:
        return full_feature_players(context.extent)
    return unpruned_feature_players(context.extent, context.pruned)


def _needs_cut(options: Options) -> bool:
    """Returns whether the features depend on the pruning cut. Features over the full sequence do not."""
    return options.feature_scope is not FeatureScope.FULL_SEQUENCE


FEATURE_LEVEL = LevelDefinition(
    name=Level.FEATURE.value, time_share=0.4, play=play_features, needs_cut=_needs_cut
)
