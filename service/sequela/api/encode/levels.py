"""Encodes a level of an explanation: its attributions and their accuracy."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.encode.common import duration
from sequela.api.enums import ESTIMATORS, PLAYER_KINDS, STOP_REASONS
from sequela.explain.explanation import Attribution, LevelExplanation, LevelQuality
from sequela.timeshap.players import PlayerKind

ONE_EVENT = (PlayerKind.EVENT, PlayerKind.CELL, PlayerKind.EVENT_REST)


def level(item: LevelExplanation) -> pb.LevelExplanation:
    """Encodes the whole level."""
    return pb.LevelExplanation(
        attributions=map(attribution, item.attributions), quality=quality(item.quality)
    )


def quality(item: LevelQuality) -> pb.LevelQuality:
    """Encodes the accuracy and cost of a level."""
    return pb.LevelQuality(
        stop_reason=STOP_REASONS.number(item.stop_reason),
        detail=item.detail,
        players=item.players,
        coalitions=item.coalitions,
        largest_standard_error=item.largest_standard_error,
        additivity_residual=item.additivity_residual,
        clipped_coalitions=item.clipped_coalitions,
        selection_truncated=item.selection_truncated,
        near_misses=map(attribution, item.near_misses),
        time=duration(item.seconds),
        estimator=ESTIMATORS.number(item.estimator),
        null_players=item.null_players,
    )


def attribution(item: Attribution) -> pb.Attribution:
    """Encodes one player's attribution. A player with one event has `event`; a block has a first and a last event."""
    message = pb.Attribution(
        kind=PLAYER_KINDS.number(item.kind),
        feature=item.feature,
        values=item.values,
        standard_errors=item.standard_errors,
        selection_uncertain=item.selection_uncertain,
    )
    if item.first_event is not None and item.kind in ONE_EVENT:
        message.event = item.first_event
    elif item.first_event is not None and item.last_event is not None:
        message.first_event = item.first_event
        message.last_event = item.last_event
    return message
