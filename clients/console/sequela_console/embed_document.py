"""The document of the panel of one alert, to which a key gives access in place of a session."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from sequela_console.alerts.documents import alert_document
from sequela_console.alerts.parameters import alert_id
from sequela_console.context import Console
from sequela_console.http.errors import ApiError
from sequela_console.sessions.visitor import Visitor
from sequela_console.state.failure import skipped_if_unwritable
from sequela_console.state.trail import record_once

SCHEME = "embed"


def embed_document(console: Console, request: Request) -> Any:
    """Answers GET /api/embed/{id} with the header `Authorization: Embed KEY`.

    The console reads the alert with its own credentials, for the person who asked for the key.

    Raises:
        ApiError: (401) there is no key, or it does not open this alert any more.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != SCHEME:
        raise ApiError(
            401, "EMBED_KEY_MISSING", "the panel needs its key; ask the case tool to open the alert again"
        )
    id = alert_id(request.path_params)
    who, verified = console.embed_keys.check(key.strip(), id)
    visitor = Visitor(who, frozenset({"read"}), console.service, verified)
    document = alert_document(console, visitor, id)
    with skipped_if_unwritable("who opened an alert"):
        record_once(console.state, id, "opened", visitor, "panel of a case tool")
    return document
