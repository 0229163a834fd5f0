"""Encodes an explanation in two parts: its content, and what belongs to the request that it answers.

The bytes of both, one after the other, are those of one message. So the content is encoded once: it is stored as it is
sent, and equal answers to several requests share it.
"""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

from sequela.contract.common import Fields, cost, feature, optional, timestamp_fields, warning
from sequela.contract.enums import OPTION_TABLES, PLAYER_KINDS, VERDICTS
from sequela.contract.levels import level_fields, quality_fields
from sequela.explain.explanation import (
    EventValues,
    Explanation,
    Feature,
    Pruning,
    PruningPoint,
    Reason,
    TargetScore,
)
from sequela.explain.kept_explanation import EncodedExplanation
from sequela.explain.options import RULES, Level, ResolvedOptions
from sequela.explain.request import EventInfo

MAX_FEATURE_LISTS = 16
"""The number of models whose encoded features are cached."""
LEVEL_FIELD = "{}_level"
"""The field of `Explanation` for each level, by the level's name."""
LEVELS = tuple((each.value, LEVEL_FIELD.format(each.value)) for each in Level)
"""The names of the levels, each with its field."""
OPTIONS = tuple((each.name, RULES[each.name]) for each in fields(ResolvedOptions))
"""The names of the options of an answer, each with its rule."""


def explanation(item: Explanation) -> pb.Explanation:
    """Encodes the whole explanation."""
    return pb.Explanation(features=map(feature, item.features), **_content(item), **_of_request(item))


def content_bytes(item: Explanation) -> bytes:
    """Encodes all but what belongs to the request, and levels that the contract does not have.

    Equal content has the same bytes in every process, so that it is stored once.
    """
    found = pb.Explanation(**_content(item))
    return found.SerializeToString(deterministic=True) + _feature_bytes(item.features)


def request_bytes(item: Explanation) -> bytes:
    """Encodes what belongs to the request."""
    return pb.Explanation(**_of_request(item)).SerializeToString()


def answer_bytes(item: EncodedExplanation) -> bytes:
    """Encodes the whole explanation, from the content that was stored if there is one."""
    return (item.content or content_bytes(item.explanation)) + request_bytes(item.explanation)


def target(item: TargetScore) -> pb.TargetScore:
    """Encodes the scores of a target."""
    return pb.TargetScore(**_target(item))


def info_fields(item: EventInfo) -> Fields:
    """Encodes the caller's notes on an event."""
    return {"id": item.id, "time": optional(timestamp_fields, item.time), "display": item.display}


@functools.lru_cache(MAX_FEATURE_LISTS)
def _feature_bytes(items: tuple[Feature, ...]) -> bytes:
    """Encodes the features, which are the same for all answers of a model."""
    return pb.Explanation(features=map(feature, items)).SerializeToString()


def _content(item: Explanation) -> Fields:
    """Encodes the content without the features."""
    found = {
        "model_digest": item.model_digest,
        "background_digest": item.background_digest,
        "background": item.background,
        "event_count": item.event_count,
        "targets": [_target(each) for each in item.targets],
        "explained": item.explained,
        "pruning": optional(_pruning, item.pruning),
        "options": _options(item.options),
        "event_values": [_event_values(each) for each in item.event_values],
        "static_values": item.static_values,
        "method_version": item.method_version,
        "cut_short": item.cut_short,
        "warnings": map(warning, item.warnings),
        "output_count": item.output_count,
        "reasons": [_reason(each) for each in item.reasons],
        "event_weights": item.event_weights,
    }
    levels = {field: item.levels[name] for name, field in LEVELS if name in item.levels}
    return found | {field: level_fields(level) for field, level in levels.items()}


def _of_request(item: Explanation) -> Fields:
    return {
        "name": item.name,
        "create_time": timestamp_fields(item.create_time),
        "caller_id": item.caller_id,
        "labels": item.labels,
        "model": item.model,
        "cost": cost(item.cost),
        "requested_by": item.requested_by,
    }


def _target(item: TargetScore) -> Fields:
    return {
        "name": item.name,
        "base_value": item.base_value,
        "score": item.score,
        "raw_base_value": item.raw_base_value,
        "raw_score": item.raw_score,
        "label": item.label,
    }


def _reason(item: Reason) -> Fields:
    return {
        "target": item.target,
        "text": item.text,
        "template": item.template,
        "template_version": item.template_version,
        "kind": PLAYER_KINDS.number(item.kind),
        "event": item.event,
        "feature": item.feature,
        "value": item.value,
        "standard_error": item.standard_error,
        "tied": item.tied,
    }


def _pruning(item: Pruning) -> Fields:
    return {
        "pruned_events": item.pruned_events,
        "tolerance": item.tolerance,
        "scan_complete": item.scan_complete,
        "curve": [_point(each) for each in item.curve],
        "attribution": item.attribution,
        "standard_error": item.standard_error,
        "verdicts": [VERDICTS.number(verdict) for verdict in item.verdicts],
        "history_attribution": item.history_attribution,
        "quality": optional(quality_fields, item.quality),
    }


def _point(item: PruningPoint) -> Fields:
    return {"event": item.event, "importance": item.importance}


def _options(item: ResolvedOptions) -> Fields:
    return {name: _option(rule.kind, rule.repeated, getattr(item, name)) for name, rule in OPTIONS}


def _option(kind: type, repeated: bool, value: Any) -> Any:
    """Translates enum members to numbers, and returns other values unchanged."""
    table = OPTION_TABLES.get(kind)
    if table is None:
        return value
    # Levels that the contract does not have are left out.
    return [table.number(each) for each in value if each in table.words] if repeated else table.number(value)


def _event_values(item: EventValues) -> Fields:
    return {"event": item.event, "values": item.values, "info": optional(info_fields, item.info)}
