"""The gate through which all waiting work passes: when it closes, what is inside ends with an error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sequela.errors import Unavailable

RETRY_SECONDS = 1.0
"""When refused callers may try again: load balancers know by then that this server leaves."""


class DrainGate:
    """Limits the time of everything that runs `inside`, from the moment that `close_within` is called.

    Used from one event loop.
    """

    def __init__(self) -> None:
        self._end: float | None = None
        self._inside: set[asyncio.Timeout] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def close_within(self, seconds: float) -> None:
        """Ends what is still inside after that many seconds; what enters later ends at once."""
        self._end = asyncio.get_running_loop().time() + seconds
        for each in self._inside:
            if not each.expired():
                each.reschedule(self._end)

    async def wait_empty(self) -> None:
        """Waits until nothing is inside."""
        await self._empty.wait()

    @contextlib.asynccontextmanager
    async def inside(self) -> AsyncIterator[None]:
        """Cancels what the body awaits when the gate closes, and raises Unavailable (DRAINING) then."""
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
            if limit.expired():
                raise draining() from None
            raise


def draining() -> Unavailable:
    """The error of a server that no longer answers because it drains."""
    return Unavailable("DRAINING", "the server is draining", retry_after=RETRY_SECONDS)
