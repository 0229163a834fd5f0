"""Makes the document of an explanation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from sequela_client.alert_document.capabilities import Situation, capabilities
from sequela_client.alert_document.cautions import cautions
from sequela_client.alert_document.features import feature_details
from sequela_client.alert_document.history import history
from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import AlertDocument, Edit
from sequela_client.alert_document.quality import level_qualities

if TYPE_CHECKING:
    from sequela_client.explanation import Explanation
    from sequela_client.resources import Model

_LEFT_OUT = frozenset({"sequence", "sequence_state", "cost"})


def build_document(
    material: Material,
    situation: Situation,
    id: str,
    source: Mapping[str, Any],
    labels: Iterable[Any] = (),
    edits: Iterable[Edit] = (),
) -> AlertDocument:
    """Returns the document of an explanation.

    Args:
        material: the explanation, and what is known around it.
        situation: the circumstances on which capabilities depend.
        id: the last part of its name; empty if it is not stored.
        source: where it comes from, as in types.ts.
        labels: the decisions and remarks of people about it.
        edits: the changes that it was made with.
    """
    explanation = material.explanation
    events = history(material)
    return AlertDocument(
        id=id,
        source=source,
        target=material.target,
        explanation=explanation_json(explanation),
        threshold=situation.threshold,
        alert=situation.threshold.reached(explanation.targets[material.target].raw_score),
        history=events,
        cohort_events=material.reference.events,
        features=feature_details(material),
        labels=tuple(labels),
        quality=level_qualities(material),
        cautions=cautions(material),
        capabilities=capabilities(material, situation, len(events)),
        edits=tuple(edits),
    )


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Returns an explanation as the client exports it, without its cost, and its sequence, which the history has."""
    values = explanation.to_dict()
    return {name: value for name, value in values.items() if name not in _LEFT_OUT}


def in_unit_interval(explanation: Explanation, model: Model | None) -> bool:
    """Returns whether the outputs lie in [0, 1]: as the model says, otherwise as the scores suggest."""
    if model is not None:
        return model.bounded
    numbers = [number for each in explanation.targets for number in (each.raw_score, each.raw_base_value)]
    # NaN is a base value that was not computed, so it is left out.
    return all(0 <= number <= 1 for number in numbers if not isnan(number))
