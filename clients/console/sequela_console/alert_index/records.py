"""The data of an explanation that the index keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isnan

import numpy as np
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import TargetScore
from sequela_client.feature_values.feature_table import FeatureTable, SequenceUnreadable, feature_table
from sequela_client.resources import ExplanationSummary, Model

from sequela_console.alert_index.effects import effects
from sequela_console.state.alerts import AlertDetails, AlertRow, AlertTarget, ReasonFeature

PREFIX = "explanations/"
REFERENCE_EVENTS = 200
"""How many events of each alert values are compared with, the latest ones, so that one long history does not outweigh
others.
"""


def row_of_summary(summary: ExplanationSummary) -> AlertRow:
    """Returns the row of an explanation that has been listed only."""
    first = summary.targets[0]
    return AlertRow(
        id=summary.name.removeprefix(PREFIX),
        created=summary.create_time.timestamp(),
        caller_id=summary.caller_id,
        labels=summary.labels,
        model=summary.model,
        model_digest=summary.model_digest,
        target=first.name,
        target_label=first.label or first.name,
        score=first.raw_score,
        base=_known(first.raw_base_value),
        in_unit_interval=all(map(_in_unit_interval, summary.targets)),
        events=summary.length,
        targets=tuple(_target(each, ()) for each in summary.targets),
    )


def row_of_explanation(explanation: Explanation, model: Model | None) -> AlertRow:
    """Returns the row of an explanation that has been read."""
    first = explanation.targets[0]
    unit = model.bounded if model else all(map(_in_unit_interval, explanation.targets))
    return AlertRow(
        id=explanation.name.removeprefix(PREFIX),
        created=explanation.create_time.timestamp(),
        caller_id=explanation.caller_id,
        labels=explanation.labels,
        model=explanation.model,
        model_digest=explanation.model_digest,
        target=first.name,
        target_label=first.label or first.name,
        score=first.raw_score,
        base=_known(first.raw_base_value),
        in_unit_interval=unit,
        events=explanation.length,
        happened=_happened(explanation),
        reasons=tuple(_reasons(explanation, first.name)),
        detailed=True,
        targets=tuple(_target(each, _reasons(explanation, each.name)) for each in explanation.targets),
    )


def details_of(explanation: Explanation, model: Model | None) -> AlertDetails:
    """Returns everything that the index keeps of an explanation."""
    row = row_of_explanation(explanation, model)
    return AlertDetails(row, effects(explanation), reference_cells(explanation, model))


def reference_cells(explanation: Explanation, model: Model | None) -> bytes | None:
    """Returns the values of the latest events as float32 (events, features); None if they are not known."""
    if model is None or explanation.sequence is None:
        return None
    try:
        table = feature_table(explanation.sequence, model, explanation.length)
    except SequenceUnreadable:
        return None
    return table_cells(table).tobytes() if table.columns else None


def table_cells(table: FeatureTable) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Returns the values of the latest events (events, features)."""
    columns = [each.codes[-REFERENCE_EVENTS:] for each in table.columns.values()]
    # The inner list is (features, events).
    return np.ascontiguousarray(np.array(columns, np.float32).T)


def _known(number: float) -> float | None:
    return None if isnan(number) else number


def _in_unit_interval(target: TargetScore) -> bool:
    return all(0 <= each <= 1 for each in (target.raw_score, target.raw_base_value) if not isnan(each))


def _target(target: TargetScore, reasons: Iterable[ReasonFeature]) -> AlertTarget:
    base = _known(target.raw_base_value)
    return AlertTarget(target.name, target.label or target.name, target.raw_score, base, tuple(reasons))


def _happened(explanation: Explanation) -> float | None:
    """Returns the time of the latest event, in seconds since 1970."""
    times = [each.info.time for each in explanation.event_values if each.t == 0]
    return times[0].timestamp() if times and times[0] else None


def _reasons(explanation: Explanation, target: str) -> Iterator[ReasonFeature]:
    """Yields the features of a target's reasons, the strongest first, each once."""
    labels = {each.name: each.label or each.name for each in explanation.feature_info}
    seen: dict[str, float] = {}
    for each in explanation.reasons_by_target.get(target, ()):
        if each.feature is not None:
            seen[each.feature] = seen.get(each.feature, 0.0) + each.value
    for feature, value in sorted(seen.items(), key=lambda item: -abs(item[1])):
        yield ReasonFeature(feature, labels.get(feature, feature), value)
