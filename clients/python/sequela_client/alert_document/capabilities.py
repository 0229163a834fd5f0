"""What can be done with an explanation, and the reasons for what cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sequela_client.alert_document.material import Material
from sequela_client.alert_document.parts import POSSIBLE, Capability
from sequela_client.alert_document.threshold import AlertThreshold
from sequela_client.attributions import StopReason

NOT_STORED = "This explanation is not stored by the service, so it cannot be labelled."
NO_SERVICE = "This row comes from a file, not from a service."


@dataclass(frozen=True, slots=True)
class Situation:
    """The circumstances on which capabilities depend.

    Args:
        threshold: the threshold of the explanation.
        stored: whether the service stores it.
        online: whether the service can be asked about it.
        may_explain: whether the person has the role `explain`.
        background_problem: why its background cannot be used again; empty if it can.
    """

    threshold: AlertThreshold
    stored: bool
    online: bool
    may_explain: bool
    background_problem: str = ""


def capabilities(material: Material, situation: Situation, events: int) -> Mapping[str, Capability]:
    """Returns the capabilities by name, as in `CapabilityName` of types.ts."""
    score = _score(material, situation)
    explain = _and(score, situation.background_problem)
    return {
        "history": _if(events, "No values of events are known: " + _lowered(material.table_problem)),
        "percentiles": _if(material.table, material.table_problem),
        "score": score,
        "explain": explain,
        "replay": _replay(material, situation, explain),
        "changes": _changes(situation, score),
        "similar": _similar(material, situation),
        "label": _if(situation.stored, NOT_STORED),
    }


def _score(material: Material, situation: Situation) -> Capability:
    if not situation.online:
        return Capability(False, NO_SERVICE)
    if not situation.may_explain:
        return Capability(
            False, "Your account may read explanations, but not ask for new ones (role explain)."
        )
    return _if(material.table, material.table_problem)


def _replay(material: Material, situation: Situation, explain: Capability) -> Capability:
    if not situation.stored:
        return Capability(False, "Only a stored explanation can be compared with a repetition.")
    if material.explanation.cut_short:
        return Capability(
            False, "A deadline cut this explanation short, so a repetition would give other numbers."
        )
    return explain


def _changes(situation: Situation, score: Capability) -> Capability:
    if situation.threshold.value is None:
        return Capability(False, "There is no threshold, so there is no decision that could change.")
    return score


def _similar(material: Material, situation: Situation) -> Capability:
    if not situation.online:
        return Capability(False, "Rows of files are not compared with the alerts of a service.")
    level = material.explanation.feature_level
    if level is None or level.quality.stop_reason is StopReason.NOT_COMPUTED or not level.attributions:
        return Capability(
            False, "The effects of features were not computed, and alerts are compared by these."
        )
    return POSSIBLE


def _and(first: Capability, problem: str) -> Capability:
    return first if not first.ok or not problem else Capability(False, problem)


def _if(condition: object, why: str) -> Capability:
    return POSSIBLE if condition else Capability(False, why)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence else "the explanation has none."
