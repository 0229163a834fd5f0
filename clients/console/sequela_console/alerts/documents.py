"""Reads an alert from the service, and makes its document."""

from __future__ import annotations

from dataclasses import replace

from sequela_client.alert_document.capabilities import Situation
from sequela_client.alert_document.document import build_document, in_unit_interval
from sequela_client.alert_document.material import Material, read_material
from sequela_client.alert_document.parts import AlertDocument
from sequela_client.alert_document.threshold import AlertThreshold, alert_threshold
from sequela_client.errors import CallerError, NotFound
from sequela_client.explanation import Explanation
from sequela_client.resources import Model

from sequela_console.alert_index.models import described_model
from sequela_console.alert_index.records import PREFIX, table_cells
from sequela_console.alerts.cohort_standings import compared_with
from sequela_console.alerts.parameters import alert_id, integer, text
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.http.errors import ApiError, not_found
from sequela_console.sessions.visitor import Visitor
from sequela_console.state.alert_list import alert_row
from sequela_console.state.failure import skipped_if_unwritable
from sequela_console.state.labels import labels_of
from sequela_console.state.trail import record_once

MAX_TARGETS = 64
"""The most targets that the service explains at once."""


def get_document(console: Console, question: Question) -> AlertDocument:
    """Answers GET /api/alerts/{id}."""
    id = alert_id(question.path)
    target = integer(question.query, "target", 0, MAX_TARGETS - 1, 0)
    document = alert_document(console, question.visitor, id, target, text(question.query, "reference"))
    # Recorded here and not when the page asks for it, since programs read alerts, too.
    with skipped_if_unwritable("who opened an alert"):
        record_once(console.state, id, "opened", question.visitor)
    return document


def alert_document(
    console: Console, visitor: Visitor, id: str, target: int = 0, reference: str = ""
) -> AlertDocument:
    """Returns the document of a stored explanation.

    Args:
        console: the console.
        visitor: who asks.
        id: the last part of its name.
        target: the index of the target that it is about.
        reference: the cohort that values are compared with; recent alerts if it is empty.

    Raises:
        ApiError: (404) the service does not have it; it then leaves the index. Or there is no such cohort.
        CallerError: the files of the cohort cannot be read.
        SequelaError: the service refuses, or cannot be reached.
    """
    material = alert_material(console, visitor, id, target)
    situation = alert_situation(console, visitor, material)
    document = build_document(material, situation, id, {"kind": "service"}, labels_of(console.state, id))
    return compared_with(document, material, console.cohorts.cohort(reference)) if reference else document


def alert_material(console: Console, visitor: Visitor, id: str, target: int = 0) -> Material:
    """Returns an explanation and what is known around it. Raises what `alert_document` does."""
    explanation = read_explanation(console, visitor, id)
    if target >= len(explanation.targets):
        raise ApiError(
            400, "PARAMETER_INVALID", f"target: must be below {len(explanation.targets)}", "target"
        )
    model = model_of(visitor, explanation)
    if alert_row(console.state, id) is None:
        with skipped_if_unwritable("an alert in the index"):
            console.index.ensure(explanation, model)
    fixed = tuple(console.settings.fixed_features)
    material = read_material(explanation, target, explanation.sequence, model, fixed)
    return with_reference(console, material, id)


def with_reference(console: Console, material: Material, id: str) -> Material:
    """Returns the material with the events of other recent alerts of the same model."""
    if material.model is None or material.table is None or not material.table.columns:
        return material
    cells, caller_id = table_cells(material.table), material.explanation.caller_id
    found = console.index.reference.reference(material.model, id, caller_id, cells)
    return replace(material, reference=found)


def read_explanation(console: Console, visitor: Visitor, id: str) -> Explanation:
    """Reads a stored explanation with the visitor's own rights. Raises what `alert_document` does."""
    try:
        return visitor.service.get_explanation(PREFIX + id)
    except NotFound:
        with skipped_if_unwritable("that an alert has left"):
            console.index.forget(id)
        raise not_found(
            "ALERT_NOT_FOUND", f"the service has no alert {id!r}: it was deleted, or it has expired"
        ) from None


def model_of(visitor: Visitor, explanation: Explanation) -> Model | None:
    """Returns the model that made an explanation; None if the service does not have exactly this one any more."""
    found = described_model(visitor.service, explanation.model)
    return found if found is not None and found.digest == explanation.model_digest else None


def alert_situation(console: Console, visitor: Visitor, material: Material) -> Situation:
    """Returns what else decides about what can be done with a stored explanation."""
    return Situation(
        threshold=document_threshold(console, material),
        stored=True,
        online=True,
        may_explain=visitor.may("explain"),
        background_problem=background_problem(visitor, material),
    )


def document_threshold(console: Console, material: Material) -> AlertThreshold:
    """Returns the threshold of an explanation."""
    explanation = material.explanation
    unit = in_unit_interval(explanation, material.model)
    return alert_threshold(explanation.labels, explanation.model, unit, console.settings.thresholds)


def background_problem(visitor: Visitor, material: Material) -> str:
    """Returns why the background of an explanation cannot be used again; empty if it can."""
    explanation, model = material.explanation, material.model
    if not explanation.background:
        if model is None or model.default_background_digest == explanation.background_digest:
            return ""
        return (
            "Its background was sent with the request and is not stored under a name, so the explanation cannot be "
            "repeated. Choose another background to explain it again."
        )
    try:
        same = visitor.service.get_background(explanation.background).digest == explanation.background_digest
    except CallerError:
        return f"The service no longer has its background {explanation.background}."
    return (
        "" if same else f"The background {explanation.background} has been replaced by another of this name."
    )
