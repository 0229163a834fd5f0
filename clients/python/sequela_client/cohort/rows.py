"""Turns an explanation, or the error of a sequence, into a row of a cohort file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isnan
from typing import Any

import pyarrow as pa

from sequela_client.attributions import Attribution, LevelAttributions, Quality
from sequela_client.cohort import schema
from sequela_client.errors import SequelaError
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import Pruning

Row = dict[str, Any]

_LEVELS = ("event", "feature", "cell")


@dataclass(frozen=True, slots=True)
class RowHead:
    """What is known of a row before its sequence is explained.

    Args:
        id: the id of the sequence.
        variant: which of several explanations of the sequence it is; empty if there is one.
        row: the position of the sequence in the input.
        checkpoint: the checkpoint of the model.
        seed: the seed of the sampling; None: the server's default.
        time: when the latest explained event happened.
        full_length: how many events the sequence has, before it is cut.
        first_positive: the t of the first positive prediction, if the run searched for it.
        labels: the labels of the sequence.
    """

    id: str
    variant: str
    row: int
    checkpoint: str | None = None
    seed: int | None = None
    time: datetime | None = None
    full_length: int | None = None
    first_positive: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def as_row(self, status: str) -> Row:
        """Returns the columns that rows of every status have."""
        return {
            "id": self.id,
            "variant": self.variant,
            "row": self.row,
            "status": status,
            "checkpoint": self.checkpoint,
            "seed": self.seed,
            "time": self.time,
            "full_length": self.full_length,
            "first_positive": self.first_positive,
            "labels": list(self.labels.items()),
        }


def failed_row(head: RowHead, reason: str, message: str) -> Row:
    """Returns the row of a sequence that cannot be explained."""
    return {**head.as_row(schema.FAILED), "reason": reason, "message": message}


def error_row(head: RowHead, error: SequelaError) -> Row:
    """Returns the row of a sequence whose explanation failed."""
    return failed_row(head, error.reason or type(error).__name__, str(error))


def below_minimum_row(head: RowHead, target: str | None) -> Row:
    """Returns the row of a sequence that is not explained because its predictions are too low."""
    return {**head.as_row(schema.BELOW_MINIMUM), "target": target}


def explained_row(head: RowHead, answer: Explanation) -> Row:
    """Returns the row of an explanation of its first target."""
    target = answer.targets[0]
    level = answer.event_level
    return {
        **head.as_row(schema.EXPLAINED if answer.explained else schema.BELOW_MINIMUM),
        "seed": answer.options.seed,
        "explanation": answer.name,
        "model": answer.model,
        "model_digest": answer.model_digest,
        "background": answer.background,
        "background_digest": answer.background_digest,
        "method_version": answer.method_version,
        "target": target.name,
        "score": target.score,
        "base_value": _known(target.base_value),
        "raw_score": target.raw_score,
        "raw_base_value": _known(target.raw_base_value),
        "length": answer.length,
        "pruned_events": answer.pruning.pruned_events if answer.explained else None,
        "pruning": _pruning(answer.pruning) if answer.explained else None,
        "events": [_event(item) for item in answer.events] if level else None,
        "history": [_history(item) for item in answer.history] if level else None,
        "features": _features(answer),
        "static_value": answer.static.value if answer.static else None,
        "static_standard_error": answer.static.standard_error if answer.static else None,
        "cells": [_cell(item) for item in answer.cells] if answer.cell_level else None,
        "quality": {name: _level(answer.levels.get(name)) for name in _LEVELS},
        "cut_short": answer.cut_short,
        "warnings": [warning.reason for warning in answer.warnings],
        "reasons": [_reason(item) for item in answer.reasons],
        "event_weights": list(answer.event_weights)[::-1] or None,
        "event_values": list(_event_values(answer)),
    }


def record_batch(rows: Iterable[Row]) -> Any:
    """Converts rows to a RecordBatch of the schema."""
    return pa.RecordBatch.from_pylist(list(rows), schema.SCHEMA)


def _known(value: float) -> float | None:
    """Returns a score; None for NaN, which stands for a score that was not computed."""
    return None if isnan(value) else value


def _pruning(pruning: Pruning) -> Row:
    return {
        "tolerance": pruning.tolerance,
        "value": pruning.value,
        "standard_error": pruning.standard_error,
        "verdict": pruning.verdict.value if pruning.verdict else None,
        "scan_complete": pruning.scan_complete,
        "curve": [{"t": point.t, "importance": point.importance} for point in pruning.curve],
    }


def _event(item: Attribution) -> Row:
    return {"t": item.t, "value": item.value, "standard_error": item.standard_error}


def _history(item: Attribution) -> Row:
    return {"first_t": item.first_t, "last_t": item.last_t, **_numbers(item)}


def _features(answer: Explanation) -> list[Row] | None:
    if answer.feature_level is None:
        return None
    return [{"feature": name, **_numbers(item)} for name, item in answer.features.items()]


def _cell(item: Attribution) -> Row:
    return {"kind": item.kind.value, "t": item.t, "feature": item.feature, **_numbers(item)}


def _numbers(item: Attribution) -> Row:
    return {"value": item.value, "standard_error": item.standard_error}


def _level(level: LevelAttributions | None) -> Row | None:
    return _quality(level.quality) if level else None


def _quality(quality: Quality) -> Row:
    return {
        "stop_reason": quality.stop_reason.value,
        "players": quality.players,
        "null_players": quality.null_players,
        "coalitions": quality.coalitions,
        "largest_standard_error": quality.largest_standard_error,
        "additivity_residual": quality.additivity_residual,
        "estimator": quality.estimator,
    }


def _reason(item: Any) -> Row:
    return {
        "template": str(item.template),
        "text": item.text,
        "feature": item.feature or None,
        "t": item.t,
        **_numbers(item),
    }


def _event_values(answer: Explanation) -> Iterable[Row]:
    """Yields the displayed values of each unpruned event, one for each feature."""
    names = [feature.name for feature in answer.feature_info]
    oldest = 1 - answer.length + answer.pruning.pruned_events
    for event in answer.event_values:
        if event.t >= oldest and event.values:
            known = {**answer.static_values, **event.values}
            yield {"t": event.t, "values": [known.get(name, "") for name in names]}
