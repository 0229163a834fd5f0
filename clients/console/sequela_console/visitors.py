"""Finds out who makes a request: by the cookie of a session, or by a token of the service."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from sequela_console.context import Console
from sequela_console.http.errors import ApiError
from sequela_console.sessions.session_store import LONGEST_SECONDS
from sequela_console.sessions.visitor import Visitor

_NAME_COOKIE_SUFFIX = "_name"
MAX_NAME = 80


def visitor_of(console: Console, request: Request) -> Visitor:
    """Returns who makes a request.

    Raises:
        ApiError: (401) nobody is logged in; (503) nobody has been here before the service stopped to answer.
        SequelaError: the service does not answer, or refuses the token.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        # A program, such as a case tool, sends its token with each request.
        return console.programs.visitor(token)
    key = request.cookies.get(cookie_name(request))
    found = console.sessions.visitor(key) if key else None
    if found is not None:
        return found
    state = console.door.state()
    if not state.login_needed:
        _check_open(console)
        client, roles = console.door.identity_of_nobody()
        visitor = Visitor(own_name(request), roles, client, confirmed=state.state == "up")
        if not visitor.name:
            visitor.check_confirmed()
        return visitor
    raise ApiError(401, "LOGIN_NEEDED", "log in with your token of the service")


def _check_open(console: Console) -> None:
    """Raises ApiError (403) if everybody on the network could read everything."""
    if not console.settings.is_local and not console.settings.insecure:
        raise ApiError(
            403,
            "LOGIN_NOT_ASKED_FOR",
            "the service does not authenticate callers, so the console would be open to everybody on the network; "
            "start the service with --tokens, or the console with --insecure",
        )


def cookie_name(request: Request) -> str:
    """Returns the name of the cookie. It has the port, since browsers share cookies between the ports of a host."""
    if request.url.scheme == "https":
        return "__Host-sequela"
    return f"sequela_{request.url.port or 80}"


def set_session(response: Response, request: Request, key: str) -> None:
    """Puts the key of a session into the browser, which scripts cannot read and other sites cannot send."""
    _set(response, request, cookie_name(request), key)


def set_name(response: Response, request: Request, name: str) -> None:
    """Keeps the name that somebody typed if the service does not authenticate callers."""
    _set(response, request, cookie_name(request) + _NAME_COOKIE_SUFFIX, name)


def forget(response: Response, request: Request) -> None:
    """Removes both cookies."""
    for name in (cookie_name(request), cookie_name(request) + _NAME_COOKIE_SUFFIX):
        response.delete_cookie(
            name, path="/", secure=request.url.scheme == "https", httponly=True, samesite="strict"
        )


def own_name(request: Request) -> str:
    """Returns the name that somebody typed; empty if nobody did."""
    text = unquote(request.cookies.get(cookie_name(request) + _NAME_COOKIE_SUFFIX, ""))
    return text if text.isprintable() and len(text) <= MAX_NAME else ""


def _set(response: Response, request: Request, name: str, value: str) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(LONGEST_SECONDS),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
