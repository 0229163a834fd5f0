"""The HTTP or HTTPS server: /metrics for Prometheus, the probes /healthz and /readyz, and the routes of inference."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sequela.api.access_control import NO_CONTROL, AccessControl
from sequela.api.access_record import AccessRecord
from sequela.api.bind_errors import BindOptions, address, bind_error, listening_socket
from sequela.api.errors import to_failure
from sequela.api.http_protocol import PROBE_CONNECTIONS, ConnectionProtocol
from sequela.api.listener_socket import ListenerSocket
from sequela.api.permissions import METRICS
from sequela.api.readiness import ReadinessReport
from sequela.api.request_id import REQUEST_ID_KEY, request_id_of
from sequela.api.rest.credentials import request_credentials
from sequela.api.rest.host_check import ANY_HOST, HostCheck
from sequela.api.rest.responses import error_response, json_response, to_json
from sequela.api.tls import HANDSHAKE_SECONDS, ReloadingContext
from sequela.errors import SequelaError

ACCEPTED_AT_ONCE = 128
"""How many connections the event loop accepts in one go, before any limit applies to them."""

SHUTDOWN_SECONDS = 1
"""How long a response that is still being sent may delay the shutdown, in seconds."""

DATE_SECONDS = 1.0
"""How often the Date header of responses is made anew, in seconds."""

OPTIONS = BindOptions("--http-host", "--http-port")


def application(
    registry: CollectorRegistry,
    report: Callable[[], ReadinessReport],
    inference: Iterable[Route] = (),
    access: AccessControl = NO_CONTROL,
    hosts: HostCheck = ANY_HOST,
) -> Starlette:
    """Returns the application with the three pages and, if enabled, the inference routes. It never redirects."""
    routes = [*_pages(registry, report, access, hosts), *inference]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route})
    # Many clients do not send the body again after a redirect.
    app.router.redirect_slashes = False
    return app


def _pages(
    registry: CollectorRegistry,
    report: Callable[[], ReadinessReport],
    access: AccessControl,
    hosts: HostCheck,
) -> list[Route]:
    async def metrics(request: Request) -> Response:
        record = AccessRecord(access.permissions)
        try:
            hosts.check(request.headers.get("host", ""))
            access.admit(METRICS, request_credentials(request), record)
        except SequelaError as error:
            failure, request_id = to_failure(error), request_id_of(request.headers.get(REQUEST_ID_KEY, ""))
            refusal = error_response(failure, request_id)
            access.report(record, METRICS, str(refusal.status_code), failure.reason, request_id)
            return refusal
        # Scrapes that are permitted are not in the audit log, since there is one every few seconds.
        return await run_in_threadpool(_metrics, request)

    def _metrics(request: Request) -> Response:
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


class HttpServer(uvicorn.Server):
    """Serves an application in the running event loop, on its own socket."""

    def __init__(
        self,
        app: Starlette,
        host: str,
        port: int,
        max_connections: int,
        tls: ReloadingContext | None = None,
        max_connection_age: float = 0.0,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ConnectionProtocol,
                backlog=ACCEPTED_AT_ONCE,
                lifespan="off",
                # Requests are logged by the middleware, in the same form as gRPC calls.
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )
        self.config.load()
        # uvicorn would read the files once. Their content is read again when they change.
        self.config.ssl = tls
        self._max_connection_age, self._max_connections = max_connection_age, max_connections
        self._address = (host, port)
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the main program, which drains both servers."""
        yield

    async def main_loop(self) -> None:
        """Waits until the server is closed. The base class looks ten times a second whether it is."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), DATE_SECONDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens as the base class does, but limits the time of each TLS handshake."""
        await super().startup(sockets=[])
        loop = asyncio.get_running_loop()
        for each in sockets or ():
            most = self._max_connections + PROBE_CONNECTIONS
            listener = ListenerSocket(each, self.server_state.connections, most)
            server = await loop.create_server(
                partial(self._protocol, listener),
                sock=listener,
                ssl=self.config.ssl,
                backlog=self.config.backlog,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self.config.ssl else None,
            )
            self.servers.append(server)

    def _protocol(self, listener: ListenerSocket) -> ConnectionProtocol:
        return ConnectionProtocol(
            self.config,
            self.server_state,
            self.lifespan.state,
            max_age_seconds=self._max_connection_age,
            max_connections=self._max_connections,
            listener=listener,
        )

    async def open(self) -> str:
        """Listens, and returns the address with the actual port. Raises OSError if it cannot listen."""
        # Bound here, because uvicorn would end the process if it could not listen.
        try:
            listener = listening_socket(*self._address)
        except OSError as error:
            raise bind_error(*self._address, OPTIONS, error) from error
        self._task = asyncio.create_task(self.serve([listener]))
        return address(*listener.getsockname()[:2])

    async def close(self) -> None:
        """Ends open connections and stops."""
        self.should_exit = True
        self._closing.set()
        if self._task:
            await self._task
