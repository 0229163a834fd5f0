"""uvicorn's protocol for one connection, with a time limit for headers, client certificates and a largest age."""

from __future__ import annotations

import asyncio
import math
import random
import ssl
import sys
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from sequela.access.credentials import ClientCertificate
from sequela.api.errors import to_failure
from sequela.api.listener_socket import ListenerSocket
from sequela.api.rest.credentials import CERTIFICATE_EXTENSION
from sequela.api.rest.responses import error_response
from sequela.errors import Unavailable

HEADER_SECONDS = 10.0
"""How long a client may take to send the headers of a request, in seconds."""

AGE_JITTER = 0.1
"""The share by which the largest age of connections differs, so that they do not all end at once. As in gRPC."""

PROBE_CONNECTIONS = 64
"""How many connections may be open besides the largest number, so that probes always get through."""

PROBE_HEADER_SECONDS = 1.0
"""How long a client may take to send the headers on one of those, in seconds."""

PROBES = ("/healthz", "/readyz")
RETRY_SECONDS = 1.0

CLOSE = (b"connection", b"close")


class ConnectionProtocol(H11Protocol):
    """Closes a connection that does not finish its headers in time. The time of bodies is limited in `BodyReader`.

    The client's certificate is put into the scope of each request, since uvicorn does not do so. After
    `max_age_seconds` (0 for no limit), the next response closes the connection, so that the certificate is checked
    again. Beyond `max_connections`, there are some connections for health probes only; the oldest idle one makes room
    for a new one.
    """

    _timer: asyncio.TimerHandle | None = None
    _made = 0.0
    _is_extra = False

    def __init__(
        self,
        *given: Any,
        max_age_seconds: float = 0.0,
        max_connections: int = sys.maxsize,
        listener: ListenerSocket | None = None,
    ) -> None:
        super().__init__(*given)
        self._listener = listener
        self.max_connections = max_connections
        jitter = random.uniform(1 - AGE_JITTER, 1 + AGE_JITTER)  # noqa: S311  # no secret
        self._end = self.loop.time() + max_age_seconds * jitter if max_age_seconds else math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the timer of the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # wider than its base, as in asyncio
        self._made = self.loop.time()
        if self._listener:
            self._listener.finish(transport.get_extra_info("socket").fileno())
        self._is_extra = len(self.connections) > self.max_connections
        if len(self.connections) > self.max_connections + PROBE_CONNECTIONS:
            self._make_room()
        self.app = self._with_connection(self.app, _certificate(transport))
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Starts the timer when a request starts, and stops it when its headers are complete."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop()
        super().connection_lost(exc)

    def _with_connection(self, app: Any, certificate: ClientCertificate | None) -> Any:
        async def run(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[CERTIFICATE_EXTENSION] = certificate
            if self.loop.time() > self._end:
                # uvicorn then closes the connection after the response, as if the client had asked for it.
                scope["headers"].append(CLOSE)
            if self._is_extra and scope["path"] not in PROBES:
                scope["headers"].append(CLOSE)
                await self._refusal()(scope, receive, send)
                return
            await app(scope, receive, send)

        return run

    def _refusal(self) -> Response:
        text = f"the server has {len(self.connections)} connections, but the limit is {self.max_connections} "
        text += "(--max-http-connections); retry later"
        error = Unavailable("TOO_MANY_CONNECTIONS", text, retry_after=RETRY_SECONDS)
        return error_response(to_failure(error), "")

    def _make_room(self) -> None:
        """Closes the oldest connection that waits for a request; this one, if all of them are answering."""
        others = (each for each in self.connections if isinstance(each, ConnectionProtocol))
        waiting = (each for each in others if each._is_waiting())
        oldest = min(waiting, key=lambda each: each._made, default=self)
        oldest.transport.close()

    def _is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        # The headers are complete. `BodyReader` and the deadline limit the rest of the request.
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            seconds = PROBE_HEADER_SECONDS if self._is_extra else HEADER_SECONDS
            self._timer = self.loop.call_later(seconds, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _certificate(transport: asyncio.BaseTransport) -> ClientCertificate | None:
    """Returns the client's certificate, or None if the connection has none."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True) if connection else None
    if not connection or not der:
        return None
    names: Any = (connection.getpeercert() or {}).get("subjectAltName", ())
    dns, uris = ([value for kind, value in names if kind == wanted] for wanted in ("DNS", "URI"))
    return ClientCertificate.of(der, dns, uris)
