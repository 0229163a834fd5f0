"""Builds the ASGI application: pages, assets, and the routes of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sequela_client.errors import SequelaError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sequela_console import login
from sequela_console.alerts.routes import ROUTES as ALERT_ROUTES
from sequela_console.api_endpoint import (
    Endpoint,
    check_caller,
    endpoint,
    json_body,
    of_service,
    prepared,
    told,
)
from sequela_console.cohorts.routes import ROUTES as COHORT_ROUTES
from sequela_console.context import Console
from sequela_console.embed_document import embed_document
from sequela_console.http.errors import ApiError
from sequela_console.http.headers import embed_headers, page_headers
from sequela_console.http.static_files import asset, page


def build_app(console: Console) -> Starlette:
    """Returns the application."""
    api = [
        Route(each.path, endpoint(console, each), methods=[each.method])
        for each in (*ALERT_ROUTES, *COHORT_ROUTES)
    ]
    return Starlette(
        routes=[
            Route("/api/session", _answered(console, _session), methods=["GET", "POST", "DELETE"]),
            Route("/api/embed/{id}", _answered(console, _embedded), methods=["GET"]),
            *api,
            Route("/api/{rest:path}", _no_such_route, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]),
            Route("/assets/{name}", _page(console, lambda request: asset(request.path_params["name"]))),
            Route("/embed/{rest:path}", _embed(console)),
            Route("/healthz", _alive),
            Route("/{rest:path}", _page(console, lambda _: page("index.html"))),
        ]
    )


def _answered(console: Console, found: Callable[[Console, Request, dict[str, Any]], Any]) -> Endpoint:
    """Returns an endpoint for a route that finds out by itself who asks."""

    async def answer(request: Request) -> Response:
        try:
            check_caller(console, request)
            body = await json_body(request)
            return prepared(await run_in_threadpool(found, console, request, dict(body)))
        except ApiError as error:
            return told(error)
        except SequelaError as error:
            return told(of_service(error))

    return answer


def _session(console: Console, request: Request, body: dict[str, Any]) -> Any:
    match request.method:
        case "POST":
            return login.begin(console, request, body)
        case "DELETE":
            return login.end(console, request)
        case _:
            return login.session_state(console, request)


def _embedded(console: Console, request: Request, _: dict[str, Any]) -> Any:
    return embed_document(console, request)


def _page(console: Console, found: Callable[[Request], Response]) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            check_caller(console, request)
            response = found(request)
        except ApiError as error:
            return told(error)
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
    return Response("ok", media_type="text/plain")


async def _no_such_route(request: Request) -> Response:
    return told(ApiError(404, "ROUTE_NOT_FOUND", f"the API has no {request.method} {request.url.path[:200]}"))
