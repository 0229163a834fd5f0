"""Explanations as JSON and CSV. Either file can be read without anything else."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isnan
from typing import Any, get_args

from sequela_client.attributions import Attribution, LevelAttributions
from sequela_client.explanation_record import ExplanationRecord
from sequela_client.options import Level

# The header of the CSV. Columns up to `event_weight` describe the row's attribution, the next its target, and
# the last ones the explanation. The latter repeat in every row, so that each row can be read on its own.
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
    "reason",
    "reason_rank",
    "event_weight",
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


def plain(item: Any) -> Any:
    """Dataclasses, mappings, tuples and times as values that JSON has; NaN becomes None."""
    if dataclasses.is_dataclass(item):
        return {field.name: plain(getattr(item, field.name)) for field in dataclasses.fields(item)}
    if isinstance(item, Mapping):
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, tuple | list):
        return [plain(value) for value in item]
    if isinstance(item, float) and isnan(item):
        return None  # JSON has no NaN, which stands for a score that was not computed
    return item.isoformat() if isinstance(item, datetime) else item


def to_dict(explanation: ExplanationRecord) -> dict[str, Any]:
    """The explanation as values that JSON has; each level has the contract's key `{name}_level`."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(explanation):
        if field.name == "levels":
            values |= _levels(explanation)
        elif field.name == "reasons_by_target":
            # Each reason names its target, as in the contract.
            values["reasons"] = [
                plain(item) for each in explanation.reasons_by_target.values() for item in each
            ]
        else:
            values[field.name] = plain(getattr(explanation, field.name))
    return values


def _levels(explanation: ExplanationRecord) -> dict[str, Any]:
    """The levels, with None for those that were not asked for."""
    names = dict.fromkeys((*get_args(Level), *explanation.levels))
    return {f"{name}_level": plain(explanation.levels.get(name)) for name in names}


def to_json(explanation: ExplanationRecord, indent: int | None) -> str:
    """The explanation as JSON. Raises ValueError for an infinite number, which JSON does not have."""
    return json.dumps(to_dict(explanation), indent=indent, allow_nan=False, ensure_ascii=False)


def to_csv(explanation: ExplanationRecord) -> str:
    """A row for each attribution and target, or for each target if there are no attributions."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(_rows(explanation))
    return text.getvalue()


def _inert(text: str) -> str:
    """The text so that a spreadsheet does not run it as a formula: values of events may come from an attacker."""
    formula = text[:1] in ("=", "@") or (text[:1] in ("+", "-") and not text[1:2].isdigit())
    # A leading apostrophe is the usual guard against formulas in CSV.
    return f"'{text}" if formula else text


def _rows(explanation: ExplanationRecord) -> Iterator[dict[str, Any]]:
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


def _whole(explanation: ExplanationRecord) -> dict[str, Any]:
    """The columns that are the same in all rows."""
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


def _target(explanation: ExplanationRecord, index: int) -> dict[str, Any]:
    """The columns that are the same in all rows of a target."""
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


def _player(
    explanation: ExplanationRecord, name: str, level: LevelAttributions, item: Attribution
) -> dict[str, Any]:
    """The columns of an attribution: its player, event and feature."""
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
        "event_weight": _event_weight(explanation, item.t),
    }


def _numbers(explanation: ExplanationRecord, index: int, item: Attribution) -> dict[str, Any]:
    """The columns of an attribution to one target: its number, and the sentence if it is a main reason."""
    columns = {"value": repr(item.values[index]), "standard_error": repr(item.standard_errors[index])}
    reasons = explanation.reasons_by_target.get(explanation.targets[index].name, ())
    player = (item.kind, item.t, item.feature)
    found = next((each for each in reasons if (each.kind, each.t, each.feature) == player), None)
    if found is None:
        return columns
    return columns | {"reason": _inert(found.text), "reason_rank": found.rank}


def _event_weight(explanation: ExplanationRecord, t: int | None) -> str:
    """The model's own weight of an event; empty if it has none."""
    weights = explanation.event_weights
    return repr(weights[t - 1]) if t is not None and -len(weights) < t <= 0 else ""


def _number(value: float | None) -> str:
    """The number in full precision; empty if it was not computed."""
    return "" if value is None or isnan(value) else repr(value)


def _displayed(explanation: ExplanationRecord, item: Attribution) -> str:
    """The value of a single cell as people read it; empty for other players."""
    return explanation.displayed(item.t, item.feature) if item.t is not None and item.feature else ""
