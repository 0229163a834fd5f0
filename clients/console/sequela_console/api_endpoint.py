"""Answers requests to the API: finds the visitor, reads the body, and turns errors into statuses."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from math import isfinite
from typing import Any

from sequela_client.errors import (
    AuthenticationError,
    CallerError,
    DeadlineExceeded,
    NotFound,
    PermissionDenied,
    SequelaError,
    TryAgain,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from sequela_console.api_route import ApiRoute, Question
from sequela_console.cohort_files.catalogue import COHORT_UNREADABLE
from sequela_console.context import Console
from sequela_console.http.error_boundary import request_fields
from sequela_console.http.errors import ApiError, bad_request
from sequela_console.http.json_answer import error_response, json_response, with_headers
from sequela_console.http.origin import check_host, check_origin, check_public_host
from sequela_console.state.failure import failure_of
from sequela_console.visitors import visitor_of

MAX_BODY_BYTES = 1_000_000
# A megabyte over a slow network; a sender that takes longer would hold one of the few connections.
MAX_BODY_SECONDS = 20.0
# A sender is told that its body is too large only after it has sent it; beyond this size the connection is closed.
_MAX_DISCARDED_BYTES = 20_000_000

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]
Run = Callable[..., Awaitable[Any]]
"""Runs a function with its arguments in a thread."""

# From the most specific class to the most general one.
_STATUSES: Mapping[type[SequelaError], int] = {
    AuthenticationError: 401,
    PermissionDenied: 403,
    NotFound: 404,
    DeadlineExceeded: 504,
    TryAgain: 503,
    CallerError: 400,
}


def endpoint(console: Console, route: ApiRoute, run: Run = run_in_threadpool) -> Endpoint:
    """Returns the function that answers a route in a thread."""

    def found(request: Request, body: Mapping[str, Any]) -> Any:
        return _found(console, route, request, body)

    return api_endpoint(console, found, run)


def api_endpoint(
    console: Console, found: Callable[[Request, Mapping[str, Any]], Any], run: Run = run_in_threadpool
) -> Endpoint:
    """Returns the function that answers with what another one finds in a thread, or with its error."""

    def response(request: Request, body: Mapping[str, Any]) -> Response:
        # In the thread as well: to write a large document takes long enough to hold up other requests.
        return prepared(found(request, body))

    async def answer(request: Request) -> Response:
        try:
            check_caller(console, request)
            # Also for reading: without login, and for work that takes long, no cookie would be missed.
            check_origin(request.headers)
            body = await json_body(request)
            answered: Response = await run(response, request, body)
        except ApiError as error:
            return _told(request, error)
        except SequelaError as error:
            return _told(request, of_service(error))
        except sqlite3.Error as error:
            if (failure := failure_of(error)) is None:
                raise
            return _told(request, ApiError(503, "STATE_UNAVAILABLE", failure))
        return answered

    return answer


def check_caller(console: Console, request: Request) -> None:
    """Raises ApiError (403) for a request that was sent to the name of another site."""
    host, settings = request.headers.get("host", ""), console.settings
    if settings.public_url:
        check_public_host(host, settings.public_url)
    elif settings.is_local:
        check_host(host)


def _found(console: Console, route: ApiRoute, request: Request, body: Mapping[str, Any]) -> Any:
    visitor = visitor_of(console, request)
    if not visitor.may(route.role):
        raise ApiError(
            403,
            "ROLE_MISSING",
            f"{visitor.name or 'you'} may not do this: it needs the role {route.role} at the service",
        )
    question = Question(
        visitor=visitor,
        path=request.path_params,
        query=request.query_params,
        body=body,
        address=f"{request.url.scheme}://{request.url.netloc}",
    )
    return route.answer(console, question)


async def json_body(request: Request) -> Mapping[str, Any]:
    """Returns the JSON object in the body; empty if there is none. Raises ApiError (400, 408, 413, 415)."""
    if request.method == "GET":
        return {}
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            found = await _body(request)
    except TimeoutError:
        raise ApiError(408, "BODY_TOO_SLOW", f"the body took longer than {MAX_BODY_SECONDS:g} s") from None
    if not found:
        return {}
    # Forms of other sites can send other types without asking.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise ApiError(415, "BODY_NOT_JSON", "the body must have the Content-Type application/json")
    return _parsed(found)


async def _body(request: Request) -> bytes:
    found, count = bytearray(), 0
    async for chunk in request.stream():
        count += len(chunk)
        if count <= MAX_BODY_BYTES:
            found += chunk
        elif count > _MAX_DISCARDED_BYTES:
            break
    if count > MAX_BODY_BYTES:
        raise ApiError(413, "BODY_TOO_LARGE", f"the body has more than {MAX_BODY_BYTES:,} bytes")
    return bytes(found)


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        # Of bytes, json would also read UTF-16, and halves of surrogate pairs.
        body = json.loads(
            content.decode(), parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique
        )
        # Escapes can spell halves of surrogate pairs too, which neither SQLite nor the service can keep.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise bad_request("BODY_INVALID", f"the body is not valid JSON: {_words(error)}") from None
    if not isinstance(body, dict):
        raise bad_request("BODY_INVALID", "the body must be a JSON object")
    return body


def _words(error: ValueError | RecursionError) -> str:
    if isinstance(error, UnicodeError):
        return "its text is not Unicode in UTF-8"
    return "its objects are nested too deeply" if isinstance(error, RecursionError) else str(error)


def _no_constant(name: str) -> float:
    raise ValueError(f"JSON has no {name}")


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def prepared(found: Any) -> Response:
    """Returns what a route found as a response that nobody may store."""
    return with_headers(found if isinstance(found, Response) else json_response(found))


def of_service(error: SequelaError) -> ApiError:
    """Returns an error of the service as one of the API."""
    if error.reason == COHORT_UNREADABLE:
        return ApiError(409, error.reason, str(error))
    status = next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 502)
    return ApiError(status, error.reason or "SERVICE_ERROR", str(error))


def _told(request: Request, error: ApiError) -> Response:
    """Returns an error as a response. Those that the operator can do something about are logged."""
    if error.status >= 500:
        fields = {**request_fields(request.scope), "status": error.status, "reason": error.reason}
        log.warning("request failed", extra=fields)
    return error_response(error)
