"""What-if trials: scores and explanations of a changed alert, or with another model or background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sequela_client.alert_document.capabilities import Situation
from sequela_client.alert_document.document import build_document
from sequela_client.alert_document.material import Material, read_material
from sequela_client.alert_document.parts import AlertDocument, Edit
from sequela_client.alert_document.threshold import LABEL
from sequela_client.explanation import Explanation
from sequela_client.inputs import Sequence

from sequela_console.alerts.capable import require
from sequela_console.alerts.documents import (
    MAX_TARGETS,
    alert_material,
    alert_situation,
    document_threshold,
    model_of,
    with_reference,
)
from sequela_console.alerts.dry_runs import Options, dry_run, same_options
from sequela_console.alerts.parameters import alert_id, flag, integer, invalid, number, objects, text
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.sequence_columns import rearranged
from sequela_console.sequence_edits import edited
from sequela_console.state.trail import record

MAX_EDITS = 200


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """The score of a changed alert, see `ScoreResult` in types.ts."""

    score: float
    alert: bool | None


def post_score(console: Console, question: Question) -> ScoreResult:
    """Answers POST /api/alerts/{id}/score."""
    id, body = alert_id(question.path), question.body
    edits = read_edits(body)
    material = alert_material(console, question.visitor, id, _target(body))
    situation = alert_situation(console, question.visitor, material)
    require(material, situation, "score")
    score = scores_of(question, material, [changed(material, edits)])[0]
    record(console.state, id, "scored", question.visitor, _count(edits))
    return ScoreResult(score, situation.threshold.reached(score))


def post_explain(console: Console, question: Question) -> AlertDocument:
    """Answers POST /api/alerts/{id}/explain."""
    id, body = alert_id(question.path), question.body
    edits, options = read_edits(body), _options(body)
    model, background = text(body, "model"), text(body, "background")
    original = alert_material(console, question.visitor, id, _target(body))
    situation = alert_situation(console, question.visitor, original)
    require(original, situation, "score" if background else "explain")
    sequence = _for_model(question, original, changed(original, edits), model)
    found = _explained(question, original, sequence, model, background, options)
    record(console.state, id, "explained", question.visitor, _told(edits, model, background, options))
    same = original.sequence if not edits and found.model == original.explanation.model else sequence
    return _document(console, question, id, replace(original, sequence=same), found, edits)


def changed(material: Material, edits: tuple[Edit, ...]) -> Sequence:
    """Returns the sequence of an alert with edits. Raises ApiError (400) for edits that are wrong."""
    assert material.sequence is not None
    assert material.model is not None
    assert material.table is not None
    return edited(material.sequence, material.model, material.table, edits)


def scores_of(question: Question, material: Material, sequences: list[Sequence]) -> list[float]:
    """Returns the raw scores of sequences for the target of an explanation."""
    explanation = material.explanation
    found = question.visitor.service.score(
        # Ids, times and texts of events have no influence on scores, and many copies of them take long to send.
        [Sequence(each.inputs) for each in sequences],
        model=explanation.model,
        targets=[explanation.targets[material.target].name],
        output_event=explanation.options.output_event or None,
    )
    return [float(each) for each in found.values[:, 0]]


def trial_labels(original: Explanation, found: Explanation) -> Mapping[str, str]:
    """Returns the labels of an alert for a trial. Its threshold says nothing about the scores of another model."""
    same = found.model_digest == original.model_digest
    return {name: text for name, text in original.labels.items() if same or name != LABEL}


def read_edits(body: Mapping[str, Any]) -> tuple[Edit, ...]:
    """Returns the edits in a body. Raises ApiError (400) for those that have a wrong shape."""
    return tuple(_edit(each, place) for place, each in enumerate(objects(body, "edits", MAX_EDITS)))


def _edit(given: Mapping[str, Any], place: int) -> Edit:
    at = f"edits[{place}]"
    t, feature, to = given.get("t"), given.get("feature"), given.get("to")
    if isinstance(t, bool) or not isinstance(t, int):
        raise invalid(f"{at}.t", "must be a whole number, 0 for the latest event, −1 for the one before")
    if not isinstance(feature, str):
        raise invalid(f"{at}.feature", "must be the name of a feature")
    if isinstance(to, bool) or not isinstance(to, int | float | str):
        raise invalid(f"{at}.to", "must be a number or the name of a category")
    return Edit(t, feature, _finite(to, at))


def _finite(to: float | str, at: str) -> float | str:
    if isinstance(to, str):
        return to
    try:
        return float(to)
    except OverflowError:
        raise invalid(f"{at}.to", "must be a finite number") from None


def _target(body: Mapping[str, Any]) -> int:
    return integer(body, "target", 0, MAX_TARGETS - 1, 0)


def _options(body: Mapping[str, Any]) -> Options:
    given = body.get("options") or {}
    if not isinstance(given, dict):
        raise invalid("options", "must be an object")
    tolerance = number(given, "pruning_tolerance")
    if tolerance is not None and tolerance < 0:
        raise invalid("pruning_tolerance", "must be at least 0")
    found = {
        "refine_history": flag(given, "refine_history"),
        "full_pruning_curve": flag(given, "full_pruning_curve"),
        "pruning_tolerance": tolerance,
    }
    return {name: value for name, value in found.items() if value is not None}


def _for_model(question: Question, original: Material, sequence: Sequence, model: str) -> Sequence:
    """Returns the sequence as the chosen model takes it."""
    if not model or model == original.explanation.model:
        return sequence
    assert original.model is not None
    return rearranged(sequence, original.model, question.visitor.service.get_model(model))


def _explained(
    question: Question, original: Material, sequence: Sequence, model: str, background: str, options: Options
) -> Explanation:
    stored = original.explanation
    names = tuple(each.name for each in stored.targets)
    asked = same_options(stored.options, names) | options
    if model and model != stored.model:
        # Another model may have other targets, links, tolerances and outputs.
        asked = {"seed": stored.options.seed, "levels": list(stored.options.levels), **options}
    chosen = background or (stored.background if not model or model == stored.model else "") or None
    return dry_run(question.visitor.service, sequence, model or stored.model, chosen, asked)


def _document(
    console: Console,
    question: Question,
    id: str,
    original: Material,
    found: Explanation,
    edits: tuple[Edit, ...],
) -> AlertDocument:
    wanted = original.explanation.targets[original.target].name
    names = [each.name for each in found.targets]
    found = replace(
        found, caller_id=original.explanation.caller_id, labels=trial_labels(original.explanation, found)
    )
    model = model_of(question.visitor, found)
    target = names.index(wanted) if wanted in names else 0
    material = read_material(found, target, original.sequence, model, original.fixed_features)
    material = with_reference(console, material, id)
    situation = Situation(
        threshold=document_threshold(console, material),
        stored=False,
        online=True,
        may_explain=question.visitor.may("explain"),
    )
    return build_document(material, situation, id, {"kind": "dry_run"}, (), edits)


def _count(edits: tuple[Edit, ...]) -> str:
    return f"{len(edits)} {'change' if len(edits) == 1 else 'changes'}"


def _told(edits: tuple[Edit, ...], model: str, background: str, options: Options) -> str:
    """Returns what was tried, without any value of the alert."""
    parts = [
        _count(edits) if edits else "",
        f"model {model}" if model else "",
        f"background {background}" if background else "",
        *(name.replace("_", " ") for name in options),
    ]
    return ", ".join(filter(None, parts)) or "once more"
