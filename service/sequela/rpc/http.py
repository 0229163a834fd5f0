"""The operator's HTTP door: /metrics for Prometheus, /healthz and /readyz for who watches the process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sequela.rpc.listening import address

# How long a page that is being read may hold up the end of the server.
LAST_SECONDS = 1

NotReady = Callable[[], str]
"""Why the server takes no calls; empty when it does."""


def application(registry: CollectorRegistry, not_ready: NotReady) -> Starlette:
    """The three pages."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        why = not_ready()
        return PlainTextResponse(f"{why or 'ok'}\n", status_code=503 if why else 200)

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    )


class HttpServer(uvicorn.Server):
    """Serves an application in the running event loop, on a socket of its own."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=LAST_SECONDS,
            )
        )
        self._address = (host, port)
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the main program, which drains both doors."""
        yield

    async def open(self) -> str:
        """Listens; the address with the real port. Raises OSError where it cannot."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.create_server(self._address, family=family)
        self._task = asyncio.create_task(self.serve([listener]))
        return address(*listener.getsockname()[:2])

    async def close(self) -> None:
        """Ends open connections and stops."""
        self.should_exit = True
        if self._task:
            await self._task
