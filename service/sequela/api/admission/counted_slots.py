"""Slots that are given out in the order in which requests come, whatever they cost.

They are for work whose cost cannot be estimated: it waits for other servers, or its model runs for the first time.
"""

from __future__ import annotations

import asyncio

from sequela.api.admission.refusals import queue_full, spent_waiting
from sequela.api.admission.ticket import Ticket
from sequela.api.drain_gate import DrainGate, draining_error
from sequela.concurrency.deadline import Deadline
from sequela.errors import Overloaded, Unavailable

NEWEST_WEIGHT = 0.1
"""Weight of the latest duration in the moving average that determines when rejected callers should retry."""
FIRST_MEAN_SECONDS = 0.1
"""The initial value of that average, before any work has ended."""


class CountedSlots:
    """Implements `Slots`: at most `queue_size` more requests wait than there are slots.

    Args:
        slots: How many requests work at a time.
        queue_size: How many more may wait.
    """

    def __init__(self, slots: int, queue_size: int) -> None:
        self._slots, self._queue_size = slots, queue_size
        self._free = asyncio.Semaphore(slots)
        self._waiting = self._running = 0
        self._mean_seconds = FIRST_MEAN_SECONDS
        self._open = True
        self._queue_gate = DrainGate()

    async def enter(self, _: Ticket | None, deadline: Deadline) -> None:
        """See `Slots`."""
        if not self._open:
            raise draining_error()
        if self._running + self._waiting >= self._slots + self._queue_size:
            raise self._overload_error()
        self._waiting += 1
        end = asyncio.get_running_loop().time() + deadline.remaining
        try:
            async with self._queue_gate.inside(), asyncio.timeout_at(end):
                await self._free.acquire()
        except Unavailable:
            raise
        except TimeoutError:
            raise spent_waiting("a free thread", self._retry_seconds()) from None
        finally:
            self._waiting -= 1
        # The executor may have closed, or the deadline passed, just as the thread became free.
        if not self._open or deadline.remaining <= 0:
            self._free.release()
            raise spent_waiting("a free thread", self._retry_seconds()) if self._open else draining_error()
        self._running += 1

    def leave(self, _: Deadline, seconds: float, __: BaseException | None) -> None:
        """See `Slots`."""
        self._mean_seconds += NEWEST_WEIGHT * (seconds - self._mean_seconds)
        self._running -= 1
        self._free.release()

    def close(self) -> None:
        """See `Slots`."""
        self._open = False
        self._queue_gate.close_within(0)

    def _retry_seconds(self) -> float:
        # The work before a new request, in rounds of all threads.
        return (self._waiting + self._running) / self._slots * self._mean_seconds

    def _overload_error(self) -> Overloaded:
        text = f"{self._running} requests are running and {self._waiting} are waiting; at most "
        return queue_full(f"{text}{self._queue_size} may wait", self._retry_seconds())
