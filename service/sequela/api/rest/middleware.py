"""Wraps every HTTP inference request: checks its caller, adds a request id, a deadline, a log line and metrics, and
converts errors.

`grpc.interceptor` does the same for gRPC calls.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sequela.api.access_control import NO_CONTROL, AccessControl
from sequela.api.access_record import AccessRecord, access_record, note_resource
from sequela.api.deadline_policy import DeadlinePolicy
from sequela.api.drain_gate import DrainGate
from sequela.api.errors import to_failure
from sequela.api.request_id import REQUEST_ID_KEY, request_id_of
from sequela.api.request_log import request_log
from sequela.api.rest.body_reader import BodyReader
from sequela.api.rest.credentials import request_credentials
from sequela.api.rest.host_check import ANY_HOST, HostCheck
from sequela.api.rest.http_call import HttpCall, check_headers, run_while_connected, timeout_seconds
from sequela.api.rest.responses import error_response
from sequela.explain.ports import Observer
from sequela.explain.telemetry import HttpHandled
from sequela.spans import NO_SPANS, RequestSpans

Handler = Callable[[HttpCall], Coroutine[Any, Any, Response]]

CALLER_LEFT_CODE = 499
READING_METHODS = ("GET", "HEAD")
"""Methods that browsers use without an Origin header."""

log = structlog.get_logger("sequela.api")


@dataclass(frozen=True, slots=True, eq=False)
class RouteFactory:
    """Creates routes from handlers. All requests end when the gate closes.

    `hosts` is checked for requests that only read. A timeout that a header sets is at most `max_timeout_seconds`.
    `spans` begins the spans of requests.
    """

    observer: Observer
    gate: DrainGate
    policy: DeadlinePolicy
    bodies: BodyReader
    access: AccessControl = NO_CONTROL
    hosts: HostCheck = ANY_HOST
    max_timeout_seconds: float = math.inf
    spans: RequestSpans = NO_SPANS

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """Creates a route. Its handler may raise any error, which `to_failure` converts for the caller."""

        async def endpoint(request: Request) -> Response:
            return await self._observe(f"{method} {path}", path, request, handler)

        return Route(path, endpoint, methods=[method])

    def _timeout_seconds(self, request: Request) -> float | None:
        seconds = timeout_seconds(request)
        return None if seconds is None else min(seconds, self.max_timeout_seconds)

    async def _observe(self, name: str, route: str, request: Request, handler: Handler) -> Response:
        request_id = request_id_of(request.headers.get(REQUEST_ID_KEY, ""))
        # The code remains if the task is cancelled, because the caller has left.
        started, code, facts = time.monotonic(), CALLER_LEFT_CODE, {"reason": ""}
        method = f"{request.method} {route}"
        with (
            request_log(self.spans, method, request.headers, request_id=request_id, method=method) as about,
            access_record(self.access.permissions, request.client.host if request.client else "") as record,
        ):
            try:
                response, facts = await self._response(name, request, handler, record, request_id)
                code = response.status_code
            finally:
                seconds = time.monotonic() - started
                self.observer.notice(HttpHandled(route, request.method, code, seconds))
                about.span |= {"http.route": route, "http.response.status_code": code}
                about.span |= {"error.type": facts["reason"]} if facts["reason"] else {}
                fields = {**facts, **about.explained()}
                log.info("request", code=code, **fields, seconds=round(seconds, 6))
                self.access.report(record, name, str(code), facts["reason"], request_id)
        response.headers[REQUEST_ID_KEY] = request_id
        return response

    async def _response(
        self, name: str, request: Request, handler: Handler, record: AccessRecord, request_id: str
    ) -> tuple[Response, dict[str, str]]:
        """Returns the response, and the text of an error for the log."""
        try:
            return await self._handle(name, request, handler, record), {"reason": ""}
        except Exception as error:
            failure = to_failure(error)
            # An error and the tasks that it passed through refer to each other. The cycle would keep the body alive.
            traceback.clear_frames(error.__traceback__)
            return error_response(failure, request_id), failure.log_facts

    async def _handle(self, name: str, request: Request, handler: Handler, record: AccessRecord) -> Response:
        async with self.gate.inside():
            # Before the body is read.
            self.access.admit(name, request_credentials(request), record)
            note_resource(request.path_params.get("name", ""))
            if request.method in READING_METHODS:
                self.hosts.check(request.headers.get("host", ""))
            check_headers(request)
            deadline = self.policy.within(self._timeout_seconds(request))
            async with self.bodies.read(request, deadline) as body:
                call = HttpCall(request.path_params, body, deadline)
                return await run_while_connected(request, handler(call))
