"""What every inference request over HTTP goes through: an id, a deadline, a line in the log, metrics, and errors made
into answers; gRPC calls have the same in `interceptors`.
"""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sequela.api.deadline_policy import DeadlinePolicy
from sequela.api.drain_gate import DrainGate
from sequela.api.grpc import status
from sequela.api.grpc.interceptors import SANE_ID
from sequela.api.rest.bodies import Bodies
from sequela.api.rest.request import Asked, allowed, check_headers, while_there
from sequela.api.rest.responses import REQUEST_ID, refusal
from sequela.explain.ports import Observer
from sequela.explain.telemetry import HttpHandled

Handler = Callable[[Asked], Coroutine[Any, Any, Response]]

LEFT = 499

log = structlog.get_logger("sequela.api")


@dataclass(frozen=True, slots=True, eq=False)
class EveryRequest:
    """Makes routes of handlers. No request outlives closing time."""

    observer: Observer
    closing: DrainGate
    policy: DeadlinePolicy
    bodies: Bodies

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """A route whose handler may raise whatever `rpc.status` knows."""

        async def endpoint(request: Request) -> Response:
            return await self._told(path, request, handler)

        return Route(path, endpoint, methods=[method])

    async def _told(self, route: str, request: Request, handler: Handler) -> Response:
        request_id = _request_id(request)
        started, code, told = time.monotonic(), LEFT, {"reason": ""}
        with structlog.contextvars.bound_contextvars(
            request_id=request_id, method=f"{request.method} {route}"
        ):
            try:
                response, told = await self._tried(request, handler, request_id)
                code = response.status_code
            finally:
                seconds = time.monotonic() - started
                self.observer.notice(HttpHandled(route, request.method, code, seconds))
                log.info("request", code=code, **told, seconds=round(seconds, 6))
        response.headers[REQUEST_ID] = request_id
        return response

    async def _tried(
        self, request: Request, handler: Handler, request_id: str
    ) -> tuple[Response, dict[str, str]]:
        """The answer, or the refusal that an error makes; and what the log says of it."""
        try:
            return await self._answered(request, handler), {"reason": ""}
        except Exception as error:
            failed = status.to_failure(error)
            # An error and the tasks that it went through hold each other, and with them what was read of the body.
            traceback.clear_frames(error.__traceback__)
            return refusal(failed, request_id), {"reason": failed.reason, "detail": failed.message}

    async def _answered(self, request: Request, handler: Handler) -> Response:
        async with self.closing.inside():
            check_headers(request)
            deadline = self.policy.within(allowed(request))
            async with self.bodies.held(request, deadline) as body:
                return await while_there(request, handler(Asked(request.path_params, body, deadline)))


def _request_id(request: Request) -> str:
    given = request.headers.get(REQUEST_ID, "")
    return given if SANE_ID.fullmatch(given) else uuid.uuid4().hex
