"""The HTTP server: /metrics for Prometheus, the probes /healthz and /readyz, and the routes of inference."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from sequela.api.grpc.listener import address
from sequela.api.readiness import ReadinessReport
from sequela.api.rest.responses import json_response, to_json

SHUTDOWN_SECONDS = 1
"""How long a response that is still being sent may delay the shutdown, in seconds."""

HEADER_SECONDS = 10.0
"""How long a client may take to send the headers of a request, in seconds."""


def application(
    registry: CollectorRegistry, report: Callable[[], ReadinessReport], inference: Iterable[Route] = ()
) -> Starlette:
    """Returns the application with the three pages and, if enabled, the inference routes. It never redirects."""
    routes = [*_pages(registry, report), *inference]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    # Many clients do not send the body again after a redirect.
    app.router.redirect_slashes = False
    return app


def _pages(registry: CollectorRegistry, report: Callable[[], ReadinessReport]) -> list[Route]:
    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    # Probes run in the event loop, so that they answer even if all threads are busy.
    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        found = report()
        return PlainTextResponse(found.text, status_code=200 if found.ready else 503)

    return [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]


async def _no_route(_: Request, error: Exception) -> Response:
    """Responds to an unknown path, or a wrong method, in the same form as for all other errors."""
    assert isinstance(error, HTTPException)
    return json_response(
        to_json({"error": error.detail, "reason": "NO_ROUTE"}), error.status_code, error.headers
    )


class HeaderTimeoutProtocol(H11Protocol):
    """Closes a connection that does not finish its headers in time. The time of bodies is limited in `BodyReader`."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the timer of the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # wider than its base, as in asyncio
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Starts the timer when a request starts, and stops it when its headers are complete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        # The headers are complete. `BodyReader` and the deadline limit the rest of the request.
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class HttpServer(uvicorn.Server):
    """Serves an application in the running event loop, on its own socket."""

    def __init__(self, app: Starlette, host: str, port: int, max_connections: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HeaderTimeoutProtocol,
                limit_concurrency=max_connections + 1,  # uvicorn also counts the connection that it rejects
                lifespan="off",
                # Requests are logged by the middleware, in the same form as gRPC calls.
                log_config=None,
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )
        self._address = (host, port)
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the main program, which drains both servers."""
        yield

    async def open(self) -> str:
        """Listens, and returns the address with the actual port. Raises OSError if it cannot listen."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        # Bound here, because uvicorn would end the process if it could not listen.
        listener = socket.create_server(self._address, family=family)
        self._task = asyncio.create_task(self.serve([listener]))
        return address(*listener.getsockname()[:2])

    async def close(self) -> None:
        """Ends open connections and stops."""
        self.should_exit = True
        if self._task:
            await self._task
