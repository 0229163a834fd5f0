"""Builds the ASGI application: pages, assets, and the routes of the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sequela_console import login
from sequela_console.alerts.routes import ROUTES as ALERT_ROUTES
from sequela_console.api_endpoint import Endpoint, api_endpoint, check_caller, endpoint
from sequela_console.cohorts.routes import ROUTES as COHORT_ROUTES
from sequela_console.context import Console
from sequela_console.embed_document import embed_document
from sequela_console.http.error_boundary import ErrorBoundary
from sequela_console.http.errors import ApiError
from sequela_console.http.headers import embed_headers, page_headers
from sequela_console.http.json_answer import error_response, with_headers
from sequela_console.http.static_files import asset, page
from sequela_console.http.thread_pool import ThreadPool

COHORT_THREADS, COHORT_WAITING = 6, 50
"""Requests about cohorts can take seconds, so they have few threads of their own, and a short queue."""
API_ROUTES = (*ALERT_ROUTES, *COHORT_ROUTES)
_SESSION_METHODS = ["GET", "POST", "DELETE"]
_REFUSALS: Mapping[int, tuple[str, str]] = {
    404: ("PAGE_NOT_FOUND", "there is no such page"),
    405: ("METHOD_NOT_ALLOWED", "pages can only be read, with GET"),
}


def build_app(console: Console) -> ASGIApp:
    """Returns the application."""
    cohort_threads = ThreadPool(COHORT_THREADS, COHORT_WAITING)
    api = [
        Route("/api/session", api_endpoint(console, partial(_session, console)), methods=_SESSION_METHODS),
        Route("/api/embed/{id}", api_endpoint(console, partial(_embedded, console)), methods=["GET"]),
        *(Route(each.path, endpoint(console, each), methods=[each.method]) for each in ALERT_ROUTES),
        *(
            Route(each.path, endpoint(console, each, cohort_threads.run), methods=[each.method])
            for each in COHORT_ROUTES
        ),
    ]
    app = Starlette(
        routes=[
            *api,
            Mount("/api", _no_such_route(api)),
            Route("/assets/{name:path}", _page(console, lambda request: asset(request.path_params["name"]))),
            Route("/embed/{rest:path}", _embed(console)),
            Route("/healthz", _alive),
            Route("/{rest:path}", _page(console, lambda _: page("index.html"))),
        ],
        middleware=[Middleware(ErrorBoundary)],
        exception_handlers={HTTPException: _refusal},
    )
    return _under_scheme(app, urlsplit(console.settings.public_url).scheme)


def _under_scheme(app: ASGIApp, scheme: str) -> ASGIApp:
    """Returns an application whose cookies and links have the scheme that people see, if a proxy adds HTTPS."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scheme:
            scope["scheme"] = scheme
        await app(scope, receive, send)

    return answer


def _session(console: Console, request: Request, body: Mapping[str, Any]) -> Any:
    match request.method:
        case "POST":
            return login.begin(console, request, body)
        case "DELETE":
            return login.end(console, request)
        case _:
            return login.session_state(console, request)


def _embedded(console: Console, request: Request, _: Mapping[str, Any]) -> Any:
    return embed_document(console, request)


def _page(console: Console, found: Callable[[Request], Response]) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            check_caller(console, request)
            response = found(request)
        except ApiError as error:
            return error_response(error)
        response.headers.update(page_headers())
        return response

    return answer


def _embed(console: Console) -> Endpoint:
    async def answer(_: Request) -> Response:
        response = page("embed.html")
        response.headers.update(embed_headers(console.settings.embed_origins))
        return response

    return answer


async def _alive(_: Request) -> Response:
    return with_headers(Response("ok", media_type="text/plain"))


def _no_such_route(routes: Sequence[Route]) -> ASGIApp:
    """Returns an application that says which methods a path of the API has, or that it has none."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        allowed = sorted(set().union(*(each.methods or () for each in routes if each.path_regex.match(path))))
        if allowed:
            error = ApiError(405, "METHOD_NOT_ALLOWED", f"{path[:200]} has only {', '.join(allowed)}")
        else:
            error = ApiError(404, "ROUTE_NOT_FOUND", f"the API has no {method[:20]} {path[:200]}")
        response = error_response(error)
        if allowed:
            response.headers["Allow"] = ", ".join(allowed)
        await response(scope, receive, send)

    return answer


async def _refusal(_: Request, error: Exception) -> Response:
    """Answers for pages what Starlette refuses, such as another method than GET."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = error_response(ApiError(status, *_REFUSALS.get(status, ("REQUEST_INVALID", "not possible"))))
    response.headers.update((isinstance(error, HTTPException) and error.headers) or {})
    return response
