"""Converts the message of an explanation to the dataclasses that callers read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC
from math import nan
from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client.attributions import Attribution, LevelAttributions, PlayerKind, Quality, StopReason
from sequela_client.enums import word
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import (
    Cost,
    EventValues,
    ExplanationWarning,
    Feature,
    Pruning,
    PruningPoint,
    Reason,
    SequenceState,
    TargetScore,
    Verdict,
)
from sequela_client.inputs import EventInfo, Sequence
from sequela_client.option_messages import used_options
from sequela_client.tables import Table
from sequela_client.tensors import arrays

LEVEL_SUFFIX = "_level"


def explanation(message: pb.Explanation) -> Explanation:
    """The explanation of a message."""
    features = tuple(
        Feature(item.name, item.label, item.unit, item.description, item.static) for item in message.features
    )
    names = [feature.name for feature in features if not feature.static]
    static = [feature.name for feature in features if feature.static]
    return Explanation(
        name=message.name,
        create_time=message.create_time.ToDatetime(UTC),
        caller_id=message.caller_id,
        labels=dict(message.labels),
        model=message.model,
        model_digest=message.model_digest,
        background=message.background,
        background_digest=message.background_digest,
        length=message.event_count,
        targets=tuple(map(target_score, message.targets)),
        explained=message.explained,
        pruning=_pruning(message.pruning),
        levels=levels(message),
        options=used_options(message.options),
        feature_info=features,
        event_values=tuple(_event_values(item, names) for item in reversed(message.event_values)),
        static_values=dict(zip(static, message.static_values, strict=False)),
        cost=cost(message.cost),
        method_version=message.method_version,
        cut_short=message.cut_short,
        warnings=warnings(message.warnings),
        output_count=message.output_count,
        reasons_by_target={target.name: _reasons(message, target.name) for target in message.targets},
        event_weights=tuple(message.event_weights),
        requested_by=message.requested_by,
    )


def stored_explanation(message: pb.GetExplanationResponse) -> Explanation:
    """The explanation of a message, with its sequence if the server kept it."""
    found = explanation(message.explanation)
    state = SequenceState(word(pb.SequenceState, message.sequence_state))
    # A request may have asked for the explanation alone.
    kept = _sequence(message.sequence, found) if message.HasField("sequence") else None
    return replace(found, sequence_state=state, sequence=kept)


def _sequence(message: pb.Sequence, found: Explanation) -> Sequence:
    """The sequence, with the id and the labels of its explanation, so that it can be explained again.

    Columns that were sent by name are in the order of the model's features. They keep their names, because another
    version of the model may take them in another order.
    """
    features = [each.name for each in found.feature_info]
    inputs: dict[str, Any] = arrays(message.inputs)
    known = {}
    for item in message.inputs:
        sent = tuple(item.columns)
        if sent and set(sent) <= set(features):
            known[item.name] = tuple(name for name in features if name in sent)
            inputs[item.name] = inputs[item.name][..., [sent.index(name) for name in known[item.name]]]
        elif sent:
            # The order of the model's columns is not known.
            inputs[item.name] = Table(inputs[item.name], sent)
    events = tuple(map(_event_info, message.events))
    return Sequence(inputs, events, found.caller_id, found.labels, known)


def levels(message: Any) -> dict[str, LevelAttributions]:
    """The levels of an explanation by name, in the contract's order: its fields `{name}_level` that are set."""
    names = [field.name for field in message.DESCRIPTOR.fields if field.name.endswith(LEVEL_SUFFIX)]
    return {
        name.removesuffix(LEVEL_SUFFIX): _level(getattr(message, name))
        for name in names
        if message.HasField(name)
    }


def warnings(messages: Iterable[pb.Warning]) -> tuple[ExplanationWarning, ...]:
    """The warnings of an answer."""
    return tuple(ExplanationWarning(message.reason, message.message) for message in messages)


def _reasons(message: pb.Explanation, target: str) -> tuple[Reason, ...]:
    """The reasons for one target, with their ranks: tied ones share that of the first of them."""
    found: list[Reason] = []
    for place, item in enumerate((item for item in message.reasons if item.target == target), 1):
        rank = found[-1].rank if item.tied and found else place
        found.append(_reason(item, rank))
    return tuple(found)


def _reason(message: pb.Reason, rank: int) -> Reason:
    return Reason(
        text=message.text,
        kind=PlayerKind(word(pb.PlayerKind, message.kind)),
        value=message.value,
        standard_error=message.standard_error,
        rank=rank,
        tied=message.tied,
        t=message.event if message.HasField("event") else None,
        feature=message.feature if message.HasField("feature") else None,
        target=message.target,
        template=message.template,
        template_version=message.template_version,
    )


def target_score(message: pb.TargetScore) -> TargetScore:
    """The scores of a target."""
    return TargetScore(
        message.name,
        message.base_value if message.HasField("base_value") else nan,
        message.score,
        message.raw_base_value if message.HasField("raw_base_value") else nan,
        message.raw_score,
        message.label,
    )


def _level(message: pb.LevelExplanation) -> LevelAttributions:
    return LevelAttributions(tuple(map(_attribution, message.attributions)), _quality(message.quality))


def _quality(message: pb.LevelQuality) -> Quality:
    return Quality(
        stop_reason=StopReason(word(pb.StopReason, message.stop_reason)),
        detail=message.detail,
        players=message.players,
        coalitions=message.coalitions,
        largest_standard_error=message.largest_standard_error,
        additivity_residual=message.additivity_residual,
        clipped_coalitions=message.clipped_coalitions,
        selection_truncated=message.selection_truncated,
        near_misses=tuple(map(_attribution, message.near_misses)),
        seconds=message.time.ToTimedelta().total_seconds(),
        estimator=word(pb.Estimator, message.estimator),
        null_players=message.null_players,
    )


def _attribution(message: pb.Attribution) -> Attribution:
    return Attribution(
        kind=PlayerKind(word(pb.PlayerKind, message.kind)),
        values=tuple(message.values),
        standard_errors=tuple(message.standard_errors),
        t=message.event if message.HasField("event") else None,
        first_t=message.first_event if message.HasField("first_event") else None,
        last_t=message.last_event if message.HasField("last_event") else None,
        feature=message.feature if message.HasField("feature") else None,
        selection_uncertain=message.selection_uncertain,
    )


def _pruning(message: pb.Pruning) -> Pruning:
    return Pruning(
        pruned_events=message.pruned_events,
        tolerances=tuple(message.tolerance),
        scan_complete=message.scan_complete,
        curve=tuple(PruningPoint(point.event, tuple(point.importance)) for point in message.curve),
        values=tuple(message.attribution),
        standard_errors=tuple(message.standard_error),
        verdicts=tuple(Verdict(word(pb.ToleranceVerdict, verdict)) for verdict in message.verdicts),
        history_values=tuple(message.history_attribution),
        quality=_quality(message.quality) if message.HasField("quality") else None,
    )


def _event_values(message: pb.EventValues, names: list[str]) -> EventValues:
    return EventValues(
        message.event, dict(zip(names, message.values, strict=False)), _event_info(message.info)
    )


def _event_info(message: pb.EventInfo) -> EventInfo:
    time = message.time.ToDatetime(UTC) if message.HasField("time") else None
    return EventInfo(message.id, time, dict(message.display))


def cost(message: pb.Cost) -> Cost:
    """The cost of an answer."""
    return Cost(
        model_rows=message.model_rows,
        model_calls=message.model_calls,
        model_events=message.model_events,
        stage_seconds={
            stage: time.ToTimedelta().total_seconds() for stage, time in message.stage_times.items()
        },
        cached=message.cached,
        endpoint_rows=message.endpoint_rows,
        endpoint_calls=message.endpoint_calls,
    )
