"""Explanations, whole and as one line."""

from __future__ import annotations

from collections.abc import Mapping

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.grpc.encode.common import ESTIMATORS, LINKS, cost, feature, optional, timestamp, warning
from sequela.api.grpc.encode.levels import level, quality
from sequela.explain.request import EventInfo, FeatureScope, Level
from sequela.explain.result.explanation import (
    EventValues,
    Explanation,
    Pruning,
    PruningPoint,
    ResolvedOptions,
    TargetScore,
)
from sequela.timeshap.pruning import Verdict

LEVELS: Mapping[str, pb.Level.ValueType] = {
    Level.EVENT: pb.LEVEL_EVENT,
    Level.FEATURE: pb.LEVEL_FEATURE,
    Level.CELL: pb.LEVEL_CELL,
}
LEVEL_FIELD = "{}_level"
"""The field of `Explanation` that holds a level, by the level's name."""
SCOPES: Mapping[FeatureScope, pb.FeatureScope.ValueType] = {
    FeatureScope.UNPRUNED: pb.FEATURE_SCOPE_UNPRUNED,
    FeatureScope.FULL_SEQUENCE: pb.FEATURE_SCOPE_FULL_SEQUENCE,
}
VERDICTS: Mapping[Verdict, pb.ToleranceVerdict.ValueType] = {
    Verdict.WITHIN: pb.TOLERANCE_VERDICT_WITHIN,
    Verdict.EXCEEDS: pb.TOLERANCE_VERDICT_EXCEEDS,
    Verdict.UNCERTAIN: pb.TOLERANCE_VERDICT_UNCERTAIN,
    Verdict.OFFSETTING: pb.TOLERANCE_VERDICT_OFFSETTING,
}


def explanation(item: Explanation) -> pb.Explanation:
    """The whole explanation."""
    message = pb.Explanation(
        name=item.name,
        create_time=timestamp(item.create_time),
        caller_id=item.caller_id,
        labels=item.labels,
        model=item.model,
        model_digest=item.model_digest,
        background_digest=item.background_digest,
        background=item.background,
        event_count=item.event_count,
        targets=map(_target, item.targets),
        explained=item.explained,
        pruning=optional(_pruning, item.pruning),
        options=_options(item.options),
        features=map(feature, item.features),
        event_values=map(_event_values, item.event_values),
        static_values=item.static_values,
        cost=cost(item.cost),
        method_version=item.method_version,
        cut_short=item.cut_short,
        warnings=map(warning, item.warnings),
        output_count=item.output_count,
    )
    for name, found in item.levels.items():
        getattr(message, LEVEL_FIELD.format(name)).CopyFrom(level(found))
    return message


def summary(item: Explanation) -> pb.ExplanationSummary:
    """One line about it."""
    return pb.ExplanationSummary(
        name=item.name,
        create_time=timestamp(item.create_time),
        caller_id=item.caller_id,
        labels=item.labels,
        model=item.model,
        model_digest=item.model_digest,
        event_count=item.event_count,
        pruned_events=item.pruning.pruned_events if item.pruning else 0,
        targets=map(_target, item.targets),
    )


def _target(item: TargetScore) -> pb.TargetScore:
    return pb.TargetScore(
        name=item.name,
        base_value=item.base_value,
        score=item.score,
        raw_base_value=item.raw_base_value,
        raw_score=item.raw_score,
        label=item.label,
    )


def _pruning(item: Pruning) -> pb.Pruning:
    return pb.Pruning(
        pruned_events=item.pruned_events,
        tolerance=item.tolerance,
        scan_complete=item.scan_complete,
        curve=map(_point, item.curve),
        attribution=item.attribution,
        standard_error=item.standard_error,
        verdicts=[VERDICTS[verdict] for verdict in item.verdicts],
        history_attribution=item.history_attribution,
        quality=optional(quality, item.quality),
    )


def _point(item: PruningPoint) -> pb.PruningPoint:
    return pb.PruningPoint(event=item.event, importance=item.importance)


def _options(item: ResolvedOptions) -> pb.ResolvedOptions:
    return pb.ResolvedOptions(
        levels=[LEVELS[each] for each in item.levels],
        feature_scope=SCOPES[item.feature_scope],
        pruning_tolerance=item.pruning_tolerance,
        cell_threshold=item.cell_threshold,
        top_k_events=item.top_k_events,
        top_k_features=item.top_k_features,
        max_coalitions=item.max_coalitions,
        target_standard_error=item.target_standard_error,
        seed=item.seed,
        refine_history=item.refine_history,
        minimum_score=item.minimum_score,
        link=LINKS[item.link],
        output_event=item.output_event,
        full_pruning_curve=item.full_pruning_curve,
        estimator=ESTIMATORS[item.estimator],
    )


def _event_values(item: EventValues) -> pb.EventValues:
    return pb.EventValues(event=item.event, values=item.values, info=optional(_info, item.info))


def _info(item: EventInfo) -> pb.EventInfo:
    return pb.EventInfo(id=item.id, time=optional(timestamp, item.time), display=item.display)
