"""HTTP/1.1 with a bound on how long a sender may take for the head of a request."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

# A browser sends a head at once; a slow network takes some seconds. A proxy keeps unused connections for about as long.
HEAD_SECONDS = 20.0


class BoundedProtocol(H11Protocol):
    """Uvicorn's protocol, which closes connections that send no complete request head for too long."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request."""
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops waiting."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Goes on waiting as long as the head of a request is not complete."""
        super().data_received(data)
        if not self._lacks_request():
            self._stop()
        elif self._timer is None:
            self._start()

    def _lacks_request(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _start(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self._lacks_request():
            self.transport.close()
