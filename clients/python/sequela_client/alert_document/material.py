"""The data from which a document is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sequela_client.feature_values.feature_table import FeatureTable, SequenceUnreadable, feature_table
from sequela_client.feature_values.standings import Reference
from sequela_client.inputs import EventInfo, Sequence

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation
    from sequela_client.resources import Model


@dataclass(frozen=True, slots=True)
class Material:
    """An explanation, and what is known around it.

    Args:
        explanation: the explanation.
        target: the index of the target that the document is about.
        sequence: the sequence that was explained; None if it was not kept.
        model: the description of the model that was used; None if the service does not have it any more.
        table: the features of the sequence; None if they cannot be read.
        table_problem: why there is no table, as a sentence; empty if there is one.
        reference: the events of other alerts that values are compared with.
        fixed_features: the features that no client can change, as the operator says.
    """

    explanation: Explanation
    target: int
    sequence: Sequence | None
    model: Model | None
    table: FeatureTable | None
    table_problem: str
    reference: Reference = field(default_factory=Reference)
    fixed_features: tuple[str, ...] = ()

    @property
    def infos(self) -> Mapping[int, EventInfo]:
        """What the caller sent about the events, by t."""
        found = {each.t: each.info for each in self.explanation.event_values}
        if self.sequence is not None and len(self.sequence.events) == self.explanation.length:
            oldest = 1 - self.explanation.length
            found |= {oldest + place: info for place, info in enumerate(self.sequence.events)}
        return found

    @property
    def oldest_unpruned(self) -> int:
        """The oldest event that was not pruned."""
        return 1 - self.explanation.length + self.explanation.pruning.pruned_events


def read_material(
    explanation: Explanation,
    target: int,
    sequence: Sequence | None,
    model: Model | None,
    fixed_features: tuple[str, ...] = (),
) -> Material:
    """Returns the material of a document, with the features of the sequence if they can be read."""
    table, problem = _table(explanation, sequence, model)
    return Material(explanation, target, sequence, model, table, problem, fixed_features=fixed_features)


def _table(
    explanation: Explanation, sequence: Sequence | None, model: Model | None
) -> tuple[FeatureTable | None, str]:
    if sequence is None:
        return (
            None,
            "The service did not keep this sequence, so only the events that were explained are known.",
        )
    if model is None:
        return None, "The service no longer has the model that made this explanation."
    try:
        return feature_table(sequence, model, explanation.length), ""
    except SequenceUnreadable as error:
        return None, f"The values cannot be read: {error}."
