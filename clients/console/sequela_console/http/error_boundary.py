"""The outermost layer: every answer gets an id, and an unexpected error becomes an answer and a line of the log."""

from __future__ import annotations

import logging
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sequela_console.http.errors import ApiError
from sequela_console.http.json_answer import error_response

HEADER = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_ID_BYTES = 8

log = logging.getLogger(__name__)


class ErrorBoundary:
    """An ASGI application around another one.

    Args:
        app: the application that answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = scope["request_id"] = _request_id(Headers(scope=scope))
        has_begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                MutableHeaders(scope=message)[HEADER] = id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            log.debug("caller gone", extra=request_fields(scope))
        except Exception:
            log.exception("unexpected error", extra=request_fields(scope))
            # What has been sent cannot be taken back; the server then closes the connection.
            if has_begun:
                raise
            await error_response(_unexpected(id))(scope, receive, send_with_id)


def request_fields(scope: Scope) -> dict[str, str]:
    """Returns what a line of the log says of a request: its id, its method, and its route without values."""
    return {
        "request_id": scope.get("request_id", ""),
        "method": scope["method"],
        "route": getattr(scope.get("route"), "path", ""),
    }


def _request_id(headers: Headers) -> str:
    """Returns the id that a proxy gave the request, if it is a plain word, or a new one."""
    given = headers.get(HEADER, "")
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(_ID_BYTES)


def _unexpected(id: str) -> ApiError:
    return ApiError(
        500,
        "UNEXPECTED",
        f"the console made a mistake; try again, and tell its operator the number {id} if it happens again",
    )
