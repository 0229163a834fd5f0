"""The routes of the session: who is logged in, login and logout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from sequela_client.errors import SequelaError, TryAgain
from starlette.requests import Request
from starlette.responses import Response

from sequela_console.context import Console
from sequela_console.http.errors import ApiError, bad_request
from sequela_console.http.json_answer import json_response
from sequela_console.sessions.service_door import ServiceState
from sequela_console.sessions.session_store import refused
from sequela_console.sessions.visitor import Visitor
from sequela_console.visitors import (
    MAX_NAME,
    cookie_name,
    forget,
    set_name,
    set_session,
    visitor_of,
)


@dataclass(frozen=True, slots=True)
class SessionState:
    """The state of the session, which a page reads first; see `Session` in types.ts."""

    ready: bool
    login_needed: bool
    name: str
    name_verified: bool
    roles: list[str]
    service: ServiceState
    version: str
    index: Any
    cohorts: int


def session_state(console: Console, request: Request) -> SessionState:
    """Returns who is logged in, and the state of the service."""
    state = console.door.state()
    try:
        visitor = visitor_of(console, request)
    except (ApiError, SequelaError):
        visitor = None
    return _state(console, state, visitor)


def begin(console: Console, request: Request, body: Mapping[str, Any]) -> Response:
    """Logs somebody in: by a token, or by a name if the service does not authenticate callers.

    Raises:
        ApiError: (400, 401, 403, 503) the token is refused, or the service does not answer.
    """
    state = console.door.state()
    if "token" in body:
        key, visitor = _with_token(console, body["token"])
        # The session that this browser had before would otherwise stay open for hours.
        if earlier := request.cookies.get(cookie_name(request)):
            console.sessions.end(earlier)
        response = json_response(_state(console, state, visitor))
        set_session(response, request, key)
        return response
    name = _name(body)
    if state.login_needed:
        raise ApiError(
            401, "LOGIN_NEEDED", "the service requires authentication; log in with a token", "token"
        )
    if state.state != "up":
        raise ApiError(503, "SERVICE_DOWN", state.message)
    client, roles = console.door.identity_of_nobody()
    response = json_response(_state(console, state, Visitor(name, roles, client)))
    # Cookies are ASCII.
    set_name(response, request, quote(name))
    return response


def end(console: Console, request: Request) -> Response:
    """Logs somebody out."""
    if key := request.cookies.get(cookie_name(request)):
        console.sessions.end(key)
    response = Response(status_code=204)
    forget(response, request)
    return response


def _with_token(console: Console, token: object) -> tuple[str, Visitor]:
    if not isinstance(token, str):
        raise bad_request("TOKEN_INVALID", "token must be a string", "token")
    client = console.door.client(token)
    try:
        return console.sessions.begin(client)
    except TryAgain as error:
        client.close()
        raise ApiError(503, "SERVICE_DOWN", f"the service does not answer: {error}") from None
    except SequelaError as error:
        client.close()
        raise refused(error) from None
    except ApiError:
        client.close()
        raise


def _name(body: Mapping[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        raise bad_request("NAME_INVALID", f"name must be a line of at most {MAX_NAME} characters", "name")
    return name.strip()


def _state(console: Console, state: ServiceState, visitor: Visitor | None) -> SessionState:
    return SessionState(
        ready=visitor is not None,
        login_needed=state.login_needed,
        name=visitor.name if visitor else "",
        name_verified=visitor.verified if visitor else False,
        roles=sorted(visitor.roles) if visitor else [],
        service=state,
        version=version("sequela"),
        index=console.index.state(),
        cohorts=len(console.cohorts.folders),
    )
