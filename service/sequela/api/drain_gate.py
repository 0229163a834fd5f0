"""DrainGate time: the one moment by which all that waits inside must end, told while it waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sequela.errors import Unavailable

# When refused callers may come again, in seconds: balancers know by then that this server leaves.
RETRY_AFTER = 1.0


class DrainGate:
    """What runs `inside` goes on until closing time, of which there is none before `within` is called.

    Used from one event loop.
    """

    def __init__(self) -> None:
        self._time: float | None = None
        self._inside: set[asyncio.Timeout] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()

    def within(self, seconds: float) -> None:
        """Ends in that many seconds what is inside by then, and at once what comes in later."""
        self._time = asyncio.get_running_loop().time() + seconds
        for each in self._inside:
            if not each.expired():
                each.reschedule(self._time)

    async def emptied(self) -> None:
        """Waits until nothing is inside."""
        await self._nobody.wait()

    @contextlib.asynccontextmanager
    async def inside(self) -> AsyncIterator[None]:
        """Cancels what its body awaits at closing time. Raises Unavailable (DRAINING) then."""
        try:
            async with asyncio.timeout_at(self._time) as limit:
                self._inside.add(limit)
                self._nobody.clear()
                try:
                    yield
                finally:
                    self._inside.discard(limit)
                    if not self._inside:
                        self._nobody.set()
        except TimeoutError:
            if limit.expired():
                raise draining() from None
            raise


def draining() -> Unavailable:
    """What callers hear that this server can no longer answer."""
    return Unavailable("DRAINING", "the server is draining", retry_after=RETRY_AFTER)
