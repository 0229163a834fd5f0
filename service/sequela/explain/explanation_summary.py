"""What lists say about an explanation. Stores index these fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sequela.explain.explanation import Explanation, TargetScore


@dataclass(frozen=True, slots=True)
class ExplanationSummary:
    """An explanation without its attributions. The fields are those of `Explanation`.

    Attributes:
        name: `explanations/{id}`.
        create_time: When it was computed.
        caller_id: The caller's own id for what is explained.
        labels: The caller's labels.
        model: `models/m/versions/v`.
        model_digest: 64 hexadecimal digits.
        event_count: The number of real events.
        pruned_events: The number of events in the pruned block; 0 if nothing was pruned.
        targets: The scores of the targets that are explained.
        requested_by: The name of the authenticated caller; empty without authentication.
    """

    name: str
    create_time: datetime
    caller_id: str
    labels: Mapping[str, str]
    model: str
    model_digest: str
    event_count: int
    pruned_events: int
    targets: tuple[TargetScore, ...]
    # Records of older releases do not have it.
    requested_by: str = ""


def summarize(explanation: Explanation) -> ExplanationSummary:
    """Returns the summary of an explanation."""
    return ExplanationSummary(
        name=explanation.name,
        create_time=explanation.create_time,
        caller_id=explanation.caller_id,
        labels=explanation.labels,
        model=explanation.model,
        model_digest=explanation.model_digest,
        event_count=explanation.event_count,
        pruned_events=explanation.pruning.pruned_events if explanation.pruning else 0,
        targets=explanation.targets,
        requested_by=explanation.requested_by,
    )
