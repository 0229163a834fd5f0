"""Encodes a level of an explanation: its attributions and their accuracy."""

from __future__ import annotations

from sequela.contract.common import Fields, duration
from sequela.contract.enums import ESTIMATORS, PLAYER_KINDS, STOP_REASONS
from sequela.explain.explanation import Attribution, LevelExplanation, LevelQuality
from sequela.timeshap.players import PlayerKind

ONE_EVENT = (PlayerKind.EVENT, PlayerKind.CELL, PlayerKind.EVENT_REST)


def level_fields(item: LevelExplanation) -> Fields:
    """Encodes the whole level."""
    return {
        "attributions": [_attribution(each) for each in item.attributions],
        "quality": quality_fields(item.quality),
    }


def quality_fields(item: LevelQuality) -> Fields:
    """Encodes the accuracy and cost of a level."""
    return {
        "stop_reason": STOP_REASONS.number(item.stop_reason),
        "detail": item.detail,
        "players": item.players,
        "coalitions": item.coalitions,
        "largest_standard_error": item.largest_standard_error,
        "additivity_residual": item.additivity_residual,
        "clipped_coalitions": item.clipped_coalitions,
        "selection_truncated": item.selection_truncated,
        "near_misses": [_attribution(each) for each in item.near_misses],
        "time": duration(item.seconds),
        "estimator": ESTIMATORS.number(item.estimator),
        "null_players": item.null_players,
    }


def _attribution(item: Attribution) -> Fields:
    """Encodes one player's attribution. A player with one event has `event`; a block has a first and a last event."""
    fields = {
        "kind": PLAYER_KINDS.number(item.kind),
        "feature": item.feature,
        "values": item.values,
        "standard_errors": item.standard_errors,
        "selection_uncertain": item.selection_uncertain,
    }
    if item.first_event is not None and item.kind in ONE_EVENT:
        fields["event"] = item.first_event
    elif item.first_event is not None and item.last_event is not None:
        fields["first_event"] = item.first_event
        fields["last_event"] = item.last_event
    return fields
