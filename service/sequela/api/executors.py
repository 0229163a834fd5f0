"""Executors: where synchronous work runs in threads, so that it never blocks the event loop.

A room has a fixed number of seats and a short queue before them. What does not fit into the queue is refused
at once: an answer that would come too late helps nobody. A seat is free again only when its thread has really
ended, also where the caller is long gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from sequela.api.drain_gate import DrainGate, draining
from sequela.concurrency.deadline import Deadline
from sequela.errors import OutOfTime, Overloaded, SequelaError, Unavailable
from sequela.explain.ports import Observer
from sequela.explain.telemetry import ExecutorState, RequestRejected

T = TypeVar("T")

# Weight of the newest work in the running mean that tells refused callers when to try again.
NEWEST = 0.1


class Executor:
    """Threads for `seats` pieces of work at a time; at most `queue` more wait. Used from one event loop.

    concluding: seconds of a core that a piece of work takes once its time is over. Where many conclude at once, each
    keeps back that much for every one that was there before it, so that they do so one after another.
    """

    def __init__(
        self, name: str, seats: int, queue: int, observer: Observer, concluding: float = 0.0
    ) -> None:
        self.seats = seats
        self._concluding = concluding
        self._name = name
        self._queue = queue
        self._observer = observer
        self._free = asyncio.Semaphore(seats)
        self._waiting = 0
        self._running = 0
        self._mean_seconds = 0.1
        self._open = True
        self._queueing = DrainGate()
        self._clocks: set[Deadline] = set()
        self._threads = ThreadPoolExecutor(seats, thread_name_prefix=name)
        self._tell()

    async def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """Runs `work` in a thread, waiting for a seat no longer than the clock allows.

        When the waiting task is cancelled the clock is cancelled too: the work stops at its next look at it.
        Raises Overloaded (QUEUE_FULL), Unavailable (DRAINING), OutOfTime (DEADLINE_TOO_SHORT), and what
        `work` raises.
        """
        await self._sit_down(deadline)
        deadline.keep_back(self._concluding * (self._running - 1))
        self._clocks.add(deadline)
        future = self._threads.submit(contextvars.copy_context().run, work)
        stand_up = functools.partial(self._stand_up, deadline, deadline.now())
        future.add_done_callback(functools.partial(_ended, asyncio.get_running_loop(), stand_up))
        ended = asyncio.wrap_future(future)
        ended.add_done_callback(_heard)
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            deadline.cancel()
            raise
        except OutOfTime:
            if deadline.hurried:  # the caller's own deadline had room: another server may still answer
                raise draining() from None
            raise

    def close(self, until: float) -> None:
        """Takes no more work and sends away what waits; what runs concludes by `until` on the monotonic clock."""
        self._open = False
        self._queueing.within(0)
        for deadline in self._clocks:
            deadline.hurry(until)

    def clear(self) -> None:
        """Lets the threads go as they end, without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _sit_down(self, deadline: Deadline) -> None:
        if not self._open:
            raise self._shed(draining())
        if self._running + self._waiting >= self.seats + self._queue:
            raise self._shed(self._overloaded())
        self._changed(waiting=1)
        end = asyncio.get_running_loop().time() + deadline.remaining
        try:
            async with self._queueing.inside(), asyncio.timeout_at(end):
                await self._free.acquire()
        except Unavailable as error:
            raise self._shed(error) from None
        except TimeoutError:
            raise self._shed(_too_late("waiting for a free worker")) from None
        finally:
            self._changed(waiting=-1)
        if not self._open or deadline.remaining <= 0:
            self._free.release()
            raise self._shed(_too_late("before any work began") if self._open else draining())
        self._changed(running=1)

    def _stand_up(self, deadline: Deadline, started: float) -> None:
        self._clocks.discard(deadline)
        self._mean_seconds += NEWEST * (Deadline.now() - started - self._mean_seconds)
        self._free.release()
        self._changed(running=-1)

    def _changed(self, waiting: int = 0, running: int = 0) -> None:
        self._waiting += waiting
        self._running += running
        self._tell()

    def _tell(self) -> None:
        self._observer.notice(ExecutorState(self._name, self._waiting, self._running))

    def _shed(self, error: SequelaError) -> SequelaError:
        self._observer.notice(RequestRejected(self._name, error.reason))
        return error

    def _overloaded(self) -> Overloaded:
        rounds = (self._waiting + self._running) / self.seats
        return Overloaded(
            "QUEUE_FULL",
            f"{self._running} requests run, {self._waiting} wait; the queue takes {self._queue}",
            retry_after=max(0.1, rounds * self._mean_seconds),
        )


@dataclass(frozen=True, slots=True)
class Executors:
    """One room for what runs models, one for what has other servers run theirs and mostly waits, one for what only
    looks something up: none starves another.
    """

    explain: Executor
    remote: Executor
    lookup: Executor

    def close(self, until: float) -> None:
        """Takes no more work; what runs concludes by `until` on the monotonic clock."""
        for executor in (self.explain, self.remote, self.lookup):
            executor.close(until)

    def clear(self) -> None:
        """Lets all threads go."""
        for executor in (self.explain, self.remote, self.lookup):
            executor.clear()


def _heard(future: asyncio.Future[T]) -> None:
    """Work that outlives its caller may end as it likes: asyncio is not to report what nobody waits for."""
    if not future.cancelled():
        future.exception()


def _ended(loop: asyncio.AbstractEventLoop, stand_up: Callable[[], None], _: Future[T]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed when work outlives the server
        loop.call_soon_threadsafe(stand_up)


def _too_late(when: str) -> OutOfTime:
    return OutOfTime("DEADLINE_TOO_SHORT", f"the deadline passed {when}")
