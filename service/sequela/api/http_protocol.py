"""uvicorn's protocol for one connection, with a time limit for headers, client certificates and a largest age."""

from __future__ import annotations

import asyncio
import math
import random
import ssl
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from sequela.access.credentials import ClientCertificate
from sequela.api.rest.credentials import CERTIFICATE_EXTENSION

HEADER_SECONDS = 10.0
"""How long a client may take to send the headers of a request, in seconds."""

AGE_JITTER = 0.1
"""The share by which the largest age of connections differs, so that they do not all end at once. As in gRPC."""

CLOSE = (b"connection", b"close")


class ConnectionProtocol(H11Protocol):
    """Closes a connection that does not finish its headers in time. The time of bodies is limited in `BodyReader`.

    The client's certificate is put into the scope of each request, since uvicorn does not do so. After
    `max_age_seconds` (0 for no limit), the next response closes the connection, so that the certificate is checked
    again.
    """

    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *given: Any, max_age_seconds: float = 0.0) -> None:
        super().__init__(*given)
        jitter = random.uniform(1 - AGE_JITTER, 1 + AGE_JITTER)  # noqa: S311  # no secret
        self._end = self.loop.time() + max_age_seconds * jitter if max_age_seconds else math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the timer of the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # wider than its base, as in asyncio
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
            await app(scope, receive, send)

        return run

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


def _certificate(transport: asyncio.BaseTransport) -> ClientCertificate | None:
    """Returns the client's certificate, or None if the connection has none."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True) if connection else None
    if not connection or not der:
        return None
    names: Any = (connection.getpeercert() or {}).get("subjectAltName", ())
    dns, uris = ([value for kind, value in names if kind == wanted] for wanted in ("DNS", "URI"))
    return ClientCertificate.of(der, dns, uris)
