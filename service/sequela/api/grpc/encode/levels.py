"""One level: its attributions and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.encode.common import ESTIMATORS, duration
from sequela.explain.result.explanation import Attribution, LevelExplanation, LevelQuality, StopReason
from sequela.timeshap.players import PlayerKind

KINDS: Mapping[PlayerKind, pb.PlayerKind.ValueType] = {
    PlayerKind.EVENT: pb.PLAYER_KIND_EVENT,
    PlayerKind.FEATURE: pb.PLAYER_KIND_FEATURE,
    PlayerKind.CELL: pb.PLAYER_KIND_CELL,
    PlayerKind.EVENT_REST: pb.PLAYER_KIND_EVENT_REST,
    PlayerKind.FEATURE_REST: pb.PLAYER_KIND_FEATURE_REST,
    PlayerKind.OTHER: pb.PLAYER_KIND_OTHER,
    PlayerKind.PRUNED: pb.PLAYER_KIND_PRUNED,
    PlayerKind.HISTORY: pb.PLAYER_KIND_HISTORY,
    PlayerKind.STATIC: pb.PLAYER_KIND_STATIC,
}
ONE_EVENT = (PlayerKind.EVENT, PlayerKind.CELL, PlayerKind.EVENT_REST)
STOPS: Mapping[StopReason, pb.StopReason.ValueType] = {
    StopReason.EXACT: pb.STOP_REASON_EXACT,
    StopReason.TARGET: pb.STOP_REASON_TARGET,
    StopReason.BUDGET: pb.STOP_REASON_BUDGET,
    StopReason.DEADLINE: pb.STOP_REASON_DEADLINE,
    StopReason.NOT_COMPUTED: pb.STOP_REASON_NOT_COMPUTED,
}


def level(item: LevelExplanation) -> pb.LevelExplanation:
    """The whole level."""
    return pb.LevelExplanation(
        attributions=map(attribution, item.attributions), quality=quality(item.quality)
    )


def quality(item: LevelQuality) -> pb.LevelQuality:
    """How sure it is, and what it took."""
    return pb.LevelQuality(
        stop_reason=STOPS[item.stop_reason],
        detail=item.detail,
        players=item.players,
        coalitions=item.coalitions,
        largest_standard_error=item.largest_standard_error,
        additivity_residual=item.additivity_residual,
        clipped_coalitions=item.clipped_coalitions,
        selection_truncated=item.selection_truncated,
        near_misses=map(attribution, item.near_misses),
        time=duration(item.seconds),
        estimator=ESTIMATORS[item.estimator],
        null_players=item.null_players,
    )


def attribution(item: Attribution) -> pb.Attribution:
    """What one player contributed. A player of one event names it as `event`, a block names its two ends."""
    message = pb.Attribution(
        kind=KINDS[item.kind],
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
