"""Labels that people give an alert, and the trail of what they did with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from sequela_console.alerts.documents import alert_material
from sequela_console.alerts.parameters import alert_id, choice, integer, invalid, text
from sequela_console.alerts.summaries import row_threshold
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.http.errors import ApiError, not_found
from sequela_console.state.alert_list import alert_row
from sequela_console.state.labels import (
    VERDICTS,
    AlertGone,
    AlertLabel,
    DecidedMeanwhile,
    NewLabel,
    add_label,
    labels_of,
)
from sequela_console.state.trail import TrailEntry, record, record_once, trail_of

MAX_NOTE = 10_000
_KINDS = (
    *("event", "feature", "cell", "event_rest", "feature_rest", "other", "pruned", "history", "static"),
    "unknown",
)
_WORDS = {
    "fraud": "fraud",
    "false_positive": "false positive",
    "undecided": "undecided",
    "reason_wrong": "a reason is wrong",
    "note": "note",
}


def get_labels(console: Console, question: Question) -> tuple[AlertLabel, ...]:
    """Answers GET /api/alerts/{id}/labels."""
    return labels_of(console.state, alert_id(question.path))


def post_label(console: Console, question: Question) -> AlertLabel:
    """Answers POST /api/alerts/{id}/labels.

    Raises:
        ApiError: (409) somebody else has decided meanwhile; (404) there is no such alert.
    """
    question.visitor.check_confirmed()
    id = alert_id(question.path)
    previous = _previous(question.body)
    label = _new_label(question)
    known(console, question, id)
    label = replace(label, threshold=_threshold(console, id))
    try:
        added = add_label(console.state, id, label, previous)
    except AlertGone:
        raise not_found(
            "ALERT_NOT_FOUND", f"the alert {id!r} has just been deleted, or has expired"
        ) from None
    except DecidedMeanwhile as error:
        raise _conflict(error.latest) from None
    record(console.state, id, "labelled", question.visitor, _WORDS[label.verdict])
    return added


def get_trail(console: Console, question: Question) -> tuple[TrailEntry, ...]:
    """Answers GET /api/alerts/{id}/trail."""
    return trail_of(console.state, alert_id(question.path))


def post_opened(console: Console, question: Question) -> Response:
    """Answers POST /api/alerts/{id}/opened, which the page sends when it shows an alert that it already has."""
    id = alert_id(question.path)
    known(console, question, id)
    record_once(console.state, id, "opened", question.visitor)
    return Response(status_code=204)


def post_shared(console: Console, question: Question) -> Response:
    """Answers POST /api/alerts/{id}/shared, which the page sends when somebody saves it as one file."""
    id = alert_id(question.path)
    known(console, question, id)
    detail = choice(question.body, "as", ("link", "html", "png"), "link")
    record(console.state, id, "shared", question.visitor, detail)
    return Response(status_code=204)


def known(console: Console, question: Question, id: str) -> None:
    """Adds an alert to the index if it is not there. Raises ApiError (404) if the service does not have it."""
    if alert_row(console.state, id) is None:
        alert_material(console, question.visitor, id)


def _new_label(question: Question) -> NewLabel:
    body = question.body
    verdict = choice(body, "verdict", VERDICTS, "")
    note = text(body, "note", MAX_NOTE).strip()
    reason = _reason(body.get("reason"))
    if verdict == "note" and not note:
        raise invalid("note", "must not be empty")
    if verdict == "reason_wrong" and reason is None:
        raise invalid("reason", "must say which reason is wrong")
    return NewLabel(verdict, note, reason, question.visitor.name, question.visitor.verified, None)


def _threshold(console: Console, id: str) -> float | None:
    row = alert_row(console.state, id)
    return None if row is None else row_threshold(console, row).value


def _reason(given: Any) -> Mapping[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise invalid("reason", "must be an object")
    return {
        "kind": choice(given, "kind", _KINDS, ""),
        "t": None if given.get("t") is None else integer(given, "t", -1_000_000, 0, 0),
        "feature": None if given.get("feature") is None else text(given, "feature"),
        "template": text(given, "template"),
    }


def _previous(body: Mapping[str, Any]) -> int | None:
    return None if body.get("previous") is None else integer(body, "previous", 1, 2**53, 0)


def _conflict(latest: AlertLabel | None) -> ApiError:
    if latest is None:
        return ApiError(
            409, "DECIDED_MEANWHILE", "the decision that you saw is no longer there; load it again"
        )
    word = _WORDS[latest.verdict]
    who = latest.who if latest.verified or not latest.who else f"{latest.who} (not verified)"
    return ApiError(
        409,
        "DECIDED_MEANWHILE",
        f"{who or 'Somebody'} decided “{word}” at {latest.when:%Y-%m-%d %H:%M} UTC; "
        "look at it, then decide again",
    )
