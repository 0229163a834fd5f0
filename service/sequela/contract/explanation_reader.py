"""Reads explanations back from the form in which they are stored and sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.contract.enums import ESTIMATORS, OPTION_TABLES, PLAYER_KINDS, STOP_REASONS, VERDICTS
from sequela.contract.explanations import LEVELS, OPTIONS
from sequela.contract.levels import ONE_EVENT
from sequela.explain.explanation import (
    Attribution,
    Cost,
    EventValues,
    Explanation,
    ExplanationWarning,
    Feature,
    LevelExplanation,
    LevelQuality,
    Pruning,
    PruningPoint,
    Reason,
    TargetScore,
)
from sequela.explain.options import OptionRule, ResolvedOptions
from sequela.explain.request import EventInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_explanation(message: pb.Explanation) -> Explanation:
    """Returns the explanation, equal in every field. Times of steps have the resolution of the contract.

    Raises:
        KeyError: An enum has a number that this release does not know.
        OverflowError: A time is beyond the year 9999.
    """
    return Explanation(
        name=message.name,
        create_time=_time(message.create_time),
        caller_id=message.caller_id,
        labels=dict(message.labels),
        model=message.model,
        model_digest=message.model_digest,
        background=message.background,
        background_digest=message.background_digest,
        event_count=message.event_count,
        targets=tuple(map(read_target, message.targets)),
        explained=message.explained,
        pruning=_pruning(message.pruning) if message.HasField("pruning") else None,
        levels={
            name: read_level(level) for name, field in LEVELS if (level := _given(message, field)) is not None
        },
        options=_options(message.options),
        features=tuple(map(_feature, message.features)),
        event_values=tuple(map(_event_values, message.event_values)),
        static_values=tuple(message.static_values),
        cost=read_cost(message.cost),
        method_version=message.method_version,
        cut_short=message.cut_short,
        warnings=tuple(ExplanationWarning(each.reason, each.message) for each in message.warnings),
        output_count=message.output_count,
        reasons=tuple(map(_reason, message.reasons)),
        event_weights=tuple(message.event_weights),
        requested_by=message.requested_by,
    )


def read_target(message: pb.TargetScore) -> TargetScore:
    """Returns the scores of a target."""
    return TargetScore(
        name=message.name,
        base_value=_given(message, "base_value"),
        score=message.score,
        raw_base_value=_given(message, "raw_base_value"),
        raw_score=message.raw_score,
        label=message.label,
    )


def read_cost(message: pb.Cost) -> Cost:
    """Returns the cost of an answer."""
    stages = {stage: each.ToNanoseconds() / 1e9 for stage, each in message.stage_times.items()}
    return Cost(
        model_rows=message.model_rows,
        model_calls=message.model_calls,
        model_events=message.model_events,
        stage_seconds=stages or None,
        cached=message.cached,
        endpoint_rows=message.endpoint_rows,
        endpoint_calls=message.endpoint_calls,
    )


def read_level(message: pb.LevelExplanation) -> LevelExplanation:
    """Returns a level."""
    return LevelExplanation(_attributions(message.attributions), _quality(message.quality))


def read_infos(messages: Iterable[pb.EventInfo]) -> tuple[EventInfo, ...]:
    """Returns the caller's notes on events."""
    return tuple(map(_info, messages))


def _info(message: pb.EventInfo) -> EventInfo:
    time = _time(message.time) if message.HasField("time") else None
    return EventInfo(message.id, time, dict(message.display.items()))


def _time(message: Timestamp) -> datetime:
    return _EPOCH + timedelta(0, message.seconds, message.nanos // 1000)


def _given(message: Any, field: str) -> Any:
    """Returns the value of an optional field, or None if it is unset."""
    return getattr(message, field) if message.HasField(field) else None


def _attributions(messages: Sequence[pb.Attribution]) -> tuple[Attribution, ...]:
    return tuple(map(_attribution, messages))


def _attribution(message: pb.Attribution) -> Attribution:
    kind = PLAYER_KINDS.members[message.kind]
    first, last = ("event", "event") if kind in ONE_EVENT else ("first_event", "last_event")
    return Attribution(
        kind=kind,
        values=tuple(message.values),
        standard_errors=tuple(message.standard_errors),
        first_event=_given(message, first),
        last_event=_given(message, last),
        feature=_given(message, "feature"),
        selection_uncertain=message.selection_uncertain,
    )


def _quality(message: pb.LevelQuality) -> LevelQuality:
    return LevelQuality(
        stop_reason=STOP_REASONS.members[message.stop_reason],
        players=message.players,
        coalitions=message.coalitions,
        largest_standard_error=message.largest_standard_error,
        additivity_residual=message.additivity_residual,
        detail=message.detail,
        clipped_coalitions=message.clipped_coalitions,
        selection_truncated=message.selection_truncated,
        near_misses=_attributions(message.near_misses),
        seconds=message.time.ToNanoseconds() / 1e9,
        estimator=ESTIMATORS.members[message.estimator] if message.estimator else None,
        null_players=message.null_players,
    )


def _pruning(message: pb.Pruning) -> Pruning:
    return Pruning(
        pruned_events=message.pruned_events,
        tolerance=tuple(message.tolerance),
        scan_complete=message.scan_complete,
        curve=tuple(PruningPoint(each.event, tuple(each.importance)) for each in message.curve),
        attribution=tuple(message.attribution),
        standard_error=tuple(message.standard_error),
        verdicts=tuple(VERDICTS.members[each] for each in message.verdicts),
        history_attribution=tuple(message.history_attribution),
        quality=_quality(message.quality) if message.HasField("quality") else None,
    )


def _options(message: pb.ResolvedOptions) -> ResolvedOptions:
    return ResolvedOptions(**{name: _option(message, name, rule) for name, rule in OPTIONS})


def _option(message: pb.ResolvedOptions, name: str, rule: OptionRule) -> Any:
    value, table = getattr(message, name), OPTION_TABLES.get(rule.kind)
    if table and rule.repeated:
        return tuple(table.members[each].value for each in value)
    if table:
        return table.members[value] if value else None
    if message.DESCRIPTOR.fields_by_name[name].has_presence:
        return _given(message, name)
    # Tolerances are one number in a request, and one for each target in an answer.
    return value if isinstance(value, int | float) else tuple(value)


def _feature(message: pb.Feature) -> Feature:
    return Feature(message.name, message.label, message.unit, message.description, message.static)


def _event_values(message: pb.EventValues) -> EventValues:
    info = _info(message.info) if message.HasField("info") else None
    return EventValues(message.event, tuple(message.values), info)


def _reason(message: pb.Reason) -> Reason:
    return Reason(
        target=message.target,
        text=message.text,
        template=message.template,
        template_version=message.template_version,
        kind=PLAYER_KINDS.members[message.kind],
        value=message.value,
        standard_error=message.standard_error,
        event=_given(message, "event"),
        feature=_given(message, "feature"),
        tied=message.tied,
    )
