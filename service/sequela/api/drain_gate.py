"""A gate around all requests. When it closes, the requests that are still inside end with an error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sequela.errors import Unavailable

RETRY_SECONDS = 1.0
"""When rejected callers should retry. By then, load balancers have noticed that this server is shutting down."""


class DrainGate:
    """Limits the time of everything that runs `inside` once `close_within` has been called.

    Must be used from a single event loop.
    """

    def __init__(self) -> None:
        self._end: float | None = None
        self._inside: set[asyncio.Timeout] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def close_within(self, seconds: float) -> None:
        """Ends everything that is still inside after `seconds`. Anything that enters later ends at once."""
        self._end = asyncio.get_running_loop().time() + seconds
        for each in self._inside:
            # asyncio does not allow a timeout that has expired to be rescheduled.
            if not each.expired():
                each.reschedule(self._end)

    async def wait_empty(self) -> None:
        """Waits until nothing is inside."""
        await self._empty.wait()

    @contextlib.asynccontextmanager
    async def inside(self) -> AsyncIterator[None]:
        """Runs the body inside the gate. If the gate closes, cancels the body and raises Unavailable (DRAINING)."""
        try:
            async with asyncio.timeout_at(self._end) as limit:
                self._inside.add(limit)
                self._empty.clear()
                try:
                    yield
                finally:
                    self._inside.discard(limit)
                    if not self._inside:
                        self._empty.set()
        except TimeoutError:
            # A TimeoutError that the body raised itself passes through.
            if limit.expired():
                raise draining_error() from None
            raise


def draining_error() -> Unavailable:
    """Returns the error with which a draining server rejects requests."""
    return Unavailable("DRAINING", "the server is draining", retry_after=RETRY_SECONDS)
