"""Builds the ASGI application: pages, assets, and the routes of the API."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sequela_client.client import Sequela
from sequela_client.errors import SequelaError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sequela_console.alerts.routes import ROUTES as ALERT_ROUTES
from sequela_console.api_route import ApiRoute, Question
from sequela_console.cohorts.routes import ROUTES as COHORT_ROUTES
from sequela_console.context import Console
from sequela_console.http.errors import ApiError, bad_request
from sequela_console.http.headers import embed_headers, page_headers
from sequela_console.http.json_answer import json_response
from sequela_console.http.static_files import asset, page
from sequela_console.sessions.open_door import anybody
from sequela_console.sessions.visitor import Visitor

MAX_BODY_BYTES = 1_000_000

Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(console: Console, service: Sequela) -> Starlette:
    """Returns the application.

    Args:
        console: the parts of the console.
        service: the client of the service for visitors.
    """
    routes = [
        Route(each.path, _api(console, service, each), methods=[each.method])
        for each in (*ALERT_ROUTES, *COHORT_ROUTES)
    ]
    return Starlette(
        routes=[
            *routes,
            Route("/api/{rest:path}", _no_such_route),
            Route("/assets/{name}", _asset),
            Route("/embed/{rest:path}", _embed(console)),
            Route("/{rest:path}", _index),
        ],
        exception_handlers={ApiError: _told},
    )


def _api(console: Console, service: Sequela, route: ApiRoute) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            question = await _question(request, anybody(service))
            found = await run_in_threadpool(route.answer, console, question)
        except ApiError as error:
            return await _told(request, error)
        except SequelaError as error:
            return await _told(request, _of_service(error))
        response = found if isinstance(found, Response) else json_response(found)
        response.headers.update({"Cache-Control": "no-store", **page_headers()})
        return response

    return answer


async def _question(request: Request, visitor: Visitor) -> Question:
    return Question(
        visitor=visitor,
        path=request.path_params,
        query=dict(request.query_params),
        body=await _body(request),
        address=f"{request.url.scheme}://{request.url.netloc}",
    )


async def _body(request: Request) -> Mapping[str, Any]:
    if request.method == "GET":
        return {}
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MAX_BODY_BYTES:
            raise ApiError(413, "BODY_TOO_LARGE", f"the body has more than {MAX_BODY_BYTES} bytes")
    if not found:
        return {}
    try:
        body = json.loads(found)
    except ValueError as error:
        raise bad_request("BODY_INVALID", f"the body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise bad_request("BODY_INVALID", "the body must be a JSON object")
    return body


def _of_service(error: SequelaError) -> ApiError:
    return ApiError(502, error.reason or "SERVICE_ERROR", str(error))


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    content = {"reason": error.reason, "message": error.message}
    if error.field:
        content["field"] = error.field
    response = json_response({"error": content}, error.status)
    response.headers.update({"Cache-Control": "no-store", **page_headers()})
    return response


async def _no_such_route(request: Request) -> Response:
    return await _told(
        request, ApiError(404, "ROUTE_NOT_FOUND", f"the API has no {request.method} {request.url.path}")
    )


async def _asset(request: Request) -> Response:
    response = asset(request.path_params["name"])
    response.headers.update(page_headers())
    return response


async def _index(_: Request) -> Response:
    response = page("index.html")
    response.headers.update(page_headers())
    return response


def _embed(console: Console) -> Endpoint:
    async def answer(_: Request) -> Response:
        response = page("embed.html")
        response.headers.update(embed_headers(console.settings.embed_origins))
        return response

    return answer
