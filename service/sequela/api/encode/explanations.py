"""Encodes explanations, complete (as messages or JSON) or as summaries, and scores."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from google.protobuf import json_format
from sequela_proto.v1 import sequela_pb2 as pb

from sequela.api.encode.common import cost, feature, input_tensor, optional, timestamp, warning
from sequela.api.encode.levels import level, quality
from sequela.api.enums import OPTION_TABLES, PLAYER_KINDS, VERDICTS
from sequela.explain.explanation import (
    EventValues,
    Explanation,
    Pruning,
    PruningPoint,
    Reason,
    TargetScore,
)
from sequela.explain.explanation_query import Deleted
from sequela.explain.explanation_summary import ExplanationSummary
from sequela.explain.kept_explanation import KeptExplanation, KeptSequence
from sequela.explain.options import RULES, ResolvedOptions
from sequela.explain.ports import Page
from sequela.explain.request import EventInfo
from sequela.explain.service import ScoreResult

LEVEL_FIELD = "{}_level"
"""The field of `Explanation` for each level, by the level's name."""


def explanation(item: Explanation) -> pb.Explanation:
    """Encodes the whole explanation."""
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
        reasons=map(_reason, item.reasons),
        event_weights=item.event_weights,
        requested_by=item.requested_by,
    )
    for name, found in item.levels.items():
        getattr(message, LEVEL_FIELD.format(name)).CopyFrom(level(found))
    return message


def explanation_json(item: Explanation) -> str:
    """Returns the whole explanation as protobuf JSON of `sequela.v1.Explanation`, with the contract's field names."""
    return json_format.MessageToJson(
        explanation(item),
        indent=None,
        preserving_proto_field_name=True,
        # Zeros and empty lists are printed too, so that readers need not know defaults.
        always_print_fields_with_no_presence=True,
    )


def kept_explanation(item: KeptExplanation) -> pb.GetExplanationResponse:
    """Encodes a stored explanation with its sequence."""
    return pb.GetExplanationResponse(
        explanation=explanation(item.explanation),
        sequence=optional(_sequence, item.sequence),
        sequence_state=_sequence_state(item),
    )


def kept_without_sequence(item: KeptExplanation) -> pb.GetExplanationResponse:
    """Encodes a stored explanation, and whether its sequence was kept, without the sequence."""
    found = kept_explanation(replace(item, sequence=None))
    found.sequence_state = _sequence_state(item)
    return found


def deleted(item: Deleted) -> pb.DeleteExplanationResponse:
    """Encodes how many explanations were deleted."""
    return pb.DeleteExplanationResponse(deleted=item.count)


def summary(item: ExplanationSummary) -> pb.ExplanationSummary:
    """Encodes the summary of an explanation."""
    return pb.ExplanationSummary(
        name=item.name,
        create_time=timestamp(item.create_time),
        caller_id=item.caller_id,
        labels=item.labels,
        model=item.model,
        model_digest=item.model_digest,
        event_count=item.event_count,
        pruned_events=item.pruned_events,
        targets=map(_target, item.targets),
        requested_by=item.requested_by,
    )


def summaries(page: Page[ExplanationSummary]) -> pb.ListExplanationsResponse:
    """Encodes a page of summaries."""
    return pb.ListExplanationsResponse(explanations=map(summary, page.items), next_page_token=page.next_token)


def scores(item: ScoreResult) -> pb.ScoreResponse:
    """Encodes scores of sequences."""
    return pb.ScoreResponse(
        targets=item.targets,
        scores=[pb.Scores(values=row) for row in item.values.tolist()],
        model_digest=item.model_digest,
        cost=cost(item.cost),
    )


def _sequence_state(item: KeptExplanation) -> Any:
    return pb.SEQUENCE_STATE_KEPT if item.sequence else pb.SEQUENCE_STATE_NOT_KEPT


def _sequence(item: KeptSequence) -> pb.Sequence:
    inputs = (input_tensor(each.name, each.array, each.columns) for each in item.inputs)
    return pb.Sequence(inputs=inputs, events=map(_info, item.events))


def _target(item: TargetScore) -> pb.TargetScore:
    return pb.TargetScore(
        name=item.name,
        base_value=item.base_value,
        score=item.score,
        raw_base_value=item.raw_base_value,
        raw_score=item.raw_score,
        label=item.label,
    )


def _reason(item: Reason) -> pb.Reason:
    return pb.Reason(
        target=item.target,
        text=item.text,
        template=item.template,
        template_version=item.template_version,
        kind=PLAYER_KINDS.number(item.kind),
        event=item.event,
        feature=item.feature,
        value=item.value,
        standard_error=item.standard_error,
        tied=item.tied,
    )


def _pruning(item: Pruning) -> pb.Pruning:
    return pb.Pruning(
        pruned_events=item.pruned_events,
        tolerance=item.tolerance,
        scan_complete=item.scan_complete,
        curve=map(_point, item.curve),
        attribution=item.attribution,
        standard_error=item.standard_error,
        verdicts=[VERDICTS.number(verdict) for verdict in item.verdicts],
        history_attribution=item.history_attribution,
        quality=optional(quality, item.quality),
    )


def _point(item: PruningPoint) -> pb.PruningPoint:
    return pb.PruningPoint(event=item.event, importance=item.importance)


def _options(item: ResolvedOptions) -> pb.ResolvedOptions:
    return pb.ResolvedOptions(
        **{each.name: _option(each.name, getattr(item, each.name)) for each in fields(item)}
    )


def _option(name: str, value: Any) -> Any:
    """Translates enum members to numbers, and returns other values unchanged."""
    table = OPTION_TABLES.get(RULES[name].kind)
    if table is None:
        return value
    return [table.number(each) for each in value] if RULES[name].repeated else table.number(value)


def _event_values(item: EventValues) -> pb.EventValues:
    return pb.EventValues(event=item.event, values=item.values, info=optional(_info, item.info))


def _info(item: EventInfo) -> pb.EventInfo:
    return pb.EventInfo(id=item.id, time=optional(timestamp, item.time), display=item.display)
