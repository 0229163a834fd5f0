"""Addresses of the panel of one alert, for the frames of case tools."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sequela_console.alerts.marks import known
from sequela_console.alerts.parameters import alert_id
from sequela_console.api_route import Question
from sequela_console.context import Console
from sequela_console.state.trail import record


@dataclass(frozen=True, slots=True)
class EmbedLink:
    """An address that opens the panel of an alert for a while, see `EmbedLink` in types.ts."""

    url: str
    expires: datetime


def post_embed_link(console: Console, question: Question) -> EmbedLink:
    """Answers POST /api/alerts/{id}/embed-link."""
    id = alert_id(question.path)
    known(console, question, id)
    key, end = console.embed_keys.key(id, question.visitor.name, question.visitor.verified)
    record(console.state, id, "embedded", question.visitor)
    # After the sign # the key stays in the browser, and out of the logs of servers.
    return EmbedLink(f"{question.address}/embed/alerts/{id}#{key}", datetime.fromtimestamp(end, UTC))
