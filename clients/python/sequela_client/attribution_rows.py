"""An explanation as a table, from which CSV and frames are made: a row for each attribution and target."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from math import isnan
from typing import Final

from sequela_client.attributions import Attribution, LevelAttributions
from sequela_client.explanation_record import ExplanationRecord

Value = str | int | float | bool | datetime | None
Row = dict[str, Value]


class ColumnType(Enum):
    """What a column holds; every value may be missing."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"


_TEXT, _INTEGER, _NUMBER, _FLAG, _TIME = ColumnType

# The columns in their order. Those up to `event_weight` describe the row's attribution, the next its target, and
# the last ones the explanation. The latter repeat in every row, so that each row can be read on its own.
COLUMNS: Final[Mapping[str, ColumnType]] = {
    "explanation": _TEXT,
    "caller_id": _TEXT,
    "target": _TEXT,
    "level": _TEXT,
    "kind": _TEXT,
    "t": _INTEGER,
    "first_t": _INTEGER,
    "last_t": _INTEGER,
    "feature": _TEXT,
    "displayed": _TEXT,
    "value": _NUMBER,
    "standard_error": _NUMBER,
    "selection_uncertain": _FLAG,
    "event_id": _TEXT,
    "event_time": _TIME,
    "feature_label": _TEXT,
    "level_stop_reason": _TEXT,
    "reason": _TEXT,
    "reason_rank": _INTEGER,
    "event_weight": _NUMBER,
    "target_label": _TEXT,
    "score": _NUMBER,
    "base_value": _NUMBER,
    "raw_score": _NUMBER,
    "raw_base_value": _NUMBER,
    "link": _TEXT,
    "pruning_tolerance": _NUMBER,
    "pruned_value": _NUMBER,
    "verdict": _TEXT,
    "events": _INTEGER,
    "pruned_events": _INTEGER,
    "labels": _TEXT,
    "create_time": _TIME,
    "model": _TEXT,
    "model_digest": _TEXT,
    "background": _TEXT,
    "background_digest": _TEXT,
    "outputs": _INTEGER,
    "warnings": _TEXT,
    "method_version": _TEXT,
    "cut_short": _FLAG,
}

# Columns whose texts come from callers and models.
FROM_OTHERS: Final = frozenset(
    {
        *(
            "caller_id",
            "target",
            "target_label",
            "feature",
            "feature_label",
            "displayed",
            "event_id",
            "reason",
        ),
        *("model", "background", "warnings"),
    }
)


def rows(explanation: ExplanationRecord) -> Iterator[Row]:
    """The rows, with all columns in their order; one for each target if there are no attributions."""
    for row in _filled(explanation):
        yield {name: row.get(name) for name in COLUMNS}


def _filled(explanation: ExplanationRecord) -> Iterator[Row]:
    whole = _whole(explanation)
    targets = [whole | _target(explanation, index) for index in range(len(explanation.targets))]
    # A sequence below the minimum score has no attributions, but a score to report.
    if not any(level.attributions for level in explanation.levels.values()):
        yield from targets
        return
    for name, level in explanation.levels.items():
        for item in level.attributions:
            player = _player(explanation, name, level, item)
            for index, target in enumerate(targets):
                yield target | player | _numbers(explanation, index, item)


def _whole(explanation: ExplanationRecord) -> Row:
    """The columns that are the same in all rows."""
    labels = json.dumps(dict(explanation.labels), ensure_ascii=False, sort_keys=True)
    return {
        "explanation": explanation.name,
        "caller_id": explanation.caller_id,
        "link": explanation.options.link,
        "events": explanation.length,
        "pruned_events": explanation.pruning.pruned_events,
        "labels": labels if explanation.labels else None,
        "create_time": explanation.create_time,
        "model": explanation.model,
        "model_digest": explanation.model_digest,
        "background": explanation.background,
        "background_digest": explanation.background_digest,
        "outputs": explanation.output_count or None,
        "warnings": " ".join(warning.message for warning in explanation.warnings),
        "method_version": explanation.method_version,
        "cut_short": explanation.cut_short,
    }


def _target(explanation: ExplanationRecord, index: int) -> Row:
    """The columns that are the same in all rows of a target."""
    target, pruning = explanation.targets[index], explanation.pruning.for_target(index)
    return {
        "target": target.name,
        "target_label": target.label,
        "score": _known(target.score),
        "base_value": _known(target.base_value),
        "raw_score": _known(target.raw_score),
        "raw_base_value": _known(target.raw_base_value),
        "pruning_tolerance": _known(pruning.tolerance),
        "pruned_value": _known(pruning.value),
        "verdict": pruning.verdict.value if pruning.verdict else None,
    }


def _player(explanation: ExplanationRecord, name: str, level: LevelAttributions, item: Attribution) -> Row:
    """The columns of an attribution: its player, event and feature."""
    info = next((event.info for event in explanation.event_values if event.t == item.t), None)
    labels = {feature.name: feature.label for feature in explanation.feature_info}
    return {
        "level": name,
        "kind": item.kind.value,
        "t": item.t,
        "first_t": item.first_t,
        "last_t": item.last_t,
        "feature": item.feature,
        "displayed": _displayed(explanation, item),
        "selection_uncertain": item.selection_uncertain,
        "event_id": info.id if info else None,
        "event_time": info.time if info else None,
        "feature_label": labels.get(item.feature or ""),
        "level_stop_reason": level.quality.stop_reason.value,
        "event_weight": _event_weight(explanation, item.t),
    }


def _numbers(explanation: ExplanationRecord, index: int, item: Attribution) -> Row:
    """The columns of an attribution to one target: its number, and the sentence if it is a main reason."""
    columns: Row = {"value": item.values[index], "standard_error": item.standard_errors[index]}
    reasons = explanation.reasons_by_target.get(explanation.targets[index].name, ())
    player = (item.kind, item.t, item.feature)
    found = next((each for each in reasons if (each.kind, each.t, each.feature) == player), None)
    return columns if found is None else columns | {"reason": found.text, "reason_rank": found.rank}


def _event_weight(explanation: ExplanationRecord, t: int | None) -> float | None:
    """The model's own weight of an event; None if it has none."""
    weights = explanation.event_weights
    return weights[t - 1] if t is not None and -len(weights) < t <= 0 else None


def _known(value: float | None) -> float | None:
    """The number, or None if it was not computed."""
    return None if value is None or isnan(value) else value


def _displayed(explanation: ExplanationRecord, item: Attribution) -> str | None:
    """The value of a single cell as people read it; None for other players."""
    return explanation.displayed(item.t, item.feature) if item.t is not None and item.feature else None
