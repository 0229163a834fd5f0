"""Explanations as JSON and CSV. Either stands on its own: who has the file needs nothing else to read it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sequela_client.attributions import Attribution, Level
    from sequela_client.explanation import Explanation

COLUMNS = (
    "explanation",
    "caller_id",
    "target",
    "level",
    "kind",
    "t",
    "first_t",
    "last_t",
    "feature",
    "displayed",
    "value",
    "standard_error",
    "selection_uncertain",
    "event_id",
    "event_time",
    "feature_label",
    "level_stop_reason",
    "target_label",
    "score",
    "base_value",
    "raw_score",
    "raw_base_value",
    "link",
    "pruning_tolerance",
    "pruned_value",
    "verdict",
    "events",
    "pruned_events",
    "labels",
    "create_time",
    "model",
    "model_digest",
    "background",
    "background_digest",
    "outputs",
    "warnings",
    "method_version",
    "cut_short",
)
"""The header of the CSV. Up to `level_stop_reason` a row tells of its attribution, then of its target, then of the
explanation: these repeat in every row, so that each row can be read alone.
"""


def plain(item: Any) -> Any:
    """Dataclasses, mappings, tuples and times as JSON knows them."""
    if dataclasses.is_dataclass(item):
        return {field.name: plain(getattr(item, field.name)) for field in dataclasses.fields(item)}
    if isinstance(item, Mapping):
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, tuple | list):
        return [plain(value) for value in item]
    if isinstance(item, float) and isnan(item):
        return None  # JSON has no number for what was not asked
    return item.isoformat() if isinstance(item, datetime) else item


def to_json(explanation: Explanation, indent: int | None) -> str:
    """JSON text; refuses what JSON has no number for."""
    return json.dumps(explanation.to_dict(), indent=indent, allow_nan=False, ensure_ascii=False)


def to_csv(explanation: Explanation) -> str:
    """One row for each attribution and target, or for each target where there are none; numbers in full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(_rows(explanation))
    return text.getvalue()


def _inert(text: str) -> str:
    """A text that a spreadsheet takes for a text, and not for a formula: event values may be an attacker's words."""
    formula = text[:1] in ("=", "@") or (text[:1] in ("+", "-") and not text[1:2].isdigit())
    return f"'{text}" if formula else text


def _rows(explanation: Explanation) -> Iterator[dict[str, Any]]:
    whole = _whole(explanation)
    targets = [whole | _target(explanation, index) for index in range(len(explanation.targets))]
    if not any(level.attributions for level in explanation.levels.values()):
        yield from targets
        return
    for name, level in explanation.levels.items():
        for item in level.attributions:
            player = _player(explanation, name, level, item)
            for target, value, error in zip(targets, item.values, item.standard_errors, strict=True):
                yield target | player | {"value": repr(value), "standard_error": repr(error)}


def _whole(explanation: Explanation) -> dict[str, Any]:
    """What holds for all rows."""
    labels = json.dumps(dict(explanation.labels), ensure_ascii=False, sort_keys=True)
    return {
        "explanation": explanation.name,
        "caller_id": _inert(explanation.caller_id),
        "link": explanation.options.link,
        "events": explanation.length,
        "pruned_events": explanation.pruning.pruned_events,
        "labels": labels if explanation.labels else "",
        "create_time": explanation.create_time.isoformat(),
        "model": _inert(explanation.model),
        "model_digest": explanation.model_digest,
        "background": _inert(explanation.background),
        "background_digest": explanation.background_digest,
        "outputs": explanation.output_count or "",
        "warnings": _inert(" ".join(warning.message for warning in explanation.warnings)),
        "method_version": explanation.method_version,
        "cut_short": explanation.cut_short,
    }


def _target(explanation: Explanation, index: int) -> dict[str, Any]:
    """What holds for all rows of a target."""
    target, pruning = explanation.targets[index], explanation.pruning.for_target(index)
    return {
        "target": _inert(target.name),
        "target_label": _inert(target.label),
        "score": _number(target.score),
        "base_value": _number(target.base_value),
        "raw_score": _number(target.raw_score),
        "raw_base_value": _number(target.raw_base_value),
        "pruning_tolerance": _number(pruning.tolerance),
        "pruned_value": _number(pruning.value),
        "verdict": pruning.verdict.value if pruning.verdict else "",
    }


def _player(explanation: Explanation, name: str, level: Level, item: Attribution) -> dict[str, Any]:
    """Whose attribution it is, and what is known of its event and feature."""
    info = next((event.info for event in explanation.event_values if event.t == item.t), None)
    labels = {feature.name: feature.label for feature in explanation.feature_info}
    return {
        "level": name,
        "kind": item.kind.value,
        "t": item.t,
        "first_t": item.first_t,
        "last_t": item.last_t,
        "feature": _inert(item.feature or ""),
        "displayed": _inert(_displayed(explanation, item)),
        "selection_uncertain": item.selection_uncertain,
        "event_id": _inert(info.id) if info else "",
        "event_time": info.time.isoformat() if info and info.time else "",
        "feature_label": _inert(labels.get(item.feature or "", "")),
        "level_stop_reason": level.quality.stop_reason.value,
    }


def _number(value: float | None) -> str:
    """In full precision; empty for what was not asked."""
    return "" if value is None or isnan(value) else repr(value)


def _displayed(explanation: Explanation, item: Attribution) -> str:
    """A single cell's value as people read it."""
    return explanation.displayed(item.t, item.feature) if item.t is not None and item.feature else ""
