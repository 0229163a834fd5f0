"""Executors: threads for synchronous work, so that it never blocks the event loop.

An executor has a fixed number of threads and a short queue. If the queue is full, work is rejected at once, because an
answer that is too late is of no use. A thread counts as busy until its work has actually ended, even if the caller is
gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from sequela.api.drain_gate import DrainGate, draining_error
from sequela.concurrency.deadline import Deadline
from sequela.errors import OutOfTime, Overloaded, SequelaError, Unavailable
from sequela.explain.ports import Observer
from sequela.explain.telemetry import ExecutorState, RequestRejected

T = TypeVar("T")

NEWEST_WEIGHT = 0.1
"""Weight of the latest duration in the moving average that determines when rejected callers should retry."""
FIRST_MEAN_SECONDS = 0.1
"""The initial value of that average, before any work has ended."""
MIN_RETRY_SECONDS = 0.1


class Executor:
    """Runs one task in each of its threads, and lets at most `queue_size` more tasks wait.

    Must be used from a single event loop.

    Args:
        name: The executor's name in metrics and thread names.
        threads: How many tasks run concurrently.
        queue_size: How many more tasks may wait.
        observer: Receives the numbers of running and waiting tasks, and all rejections.
        conclusion_seconds: The processor time that a task needs to conclude once its time is over, in seconds. If
            many tasks have the same deadline, each of them ends earlier by this much for every task that started
            before it, so that they conclude one after another.
    """

    def __init__(
        self, name: str, threads: int, queue_size: int, observer: Observer, conclusion_seconds: float = 0.0
    ) -> None:
        self.threads = threads
        self._conclusion_seconds = conclusion_seconds
        self._name = name
        self._queue_size = queue_size
        self._observer = observer
        # The thread pool has a queue too, but work in it could neither be rejected nor time out.
        self._free = asyncio.Semaphore(threads)
        self._waiting = 0
        self._running = 0
        self._mean_seconds = FIRST_MEAN_SECONDS
        self._open = True
        self._queue_gate = DrainGate()
        self._deadlines: set[Deadline] = set()
        # One thread for each permit of the semaphore, so nothing ever waits in the pool's own queue.
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._report()

    async def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """Runs `work` in a thread, and waits for a free one no longer than the deadline allows.

        If the asyncio task that waits is cancelled, the deadline is cancelled too, and the work stops at its next
        check.

        Raises:
            Overloaded: QUEUE_FULL.
            Unavailable: DRAINING.
            OutOfTime: DEADLINE_TOO_SHORT, if the deadline passed before the work started.
            Exception: Whatever `work` raises.
        """
        await self._acquire(deadline)
        deadline.keep_back(self._conclusion_seconds * (self._running - 1))
        self._deadlines.add(deadline)
        # The context carries the request id to the log lines of the thread.
        future = self._pool.submit(contextvars.copy_context().run, work)
        release = functools.partial(self._release, deadline, deadline.now())
        ended = asyncio.Event()
        # The callbacks run in the worker's thread, but the counts may only change in the event loop.
        for callback in (release, ended.set):
            future.add_done_callback(functools.partial(_call_in_loop, asyncio.get_running_loop(), callback))
        try:
            # An event and not an asyncio future: asyncio would report the error of work that outlives its caller.
            await ended.wait()
            return future.result()
        except asyncio.CancelledError:
            deadline.cancel()
            raise
        except OutOfTime:
            # Draining hurried the deadline. The caller's own has time left, so another server may still answer.
            if deadline.hurried:
                raise draining_error() from None
            raise

    def close(self, until: float) -> None:
        """Accepts no more work, rejects waiting work, and lets running work conclude by `until` (monotonic clock)."""
        self._open = False
        self._queue_gate.close_within(0)
        for deadline in self._deadlines:
            deadline.hurry(until)

    def shut_down(self) -> None:
        """Lets each thread end after its current work, without waiting for it."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _acquire(self, deadline: Deadline) -> None:
        """Waits for a free thread."""
        if not self._open:
            raise self._rejection(draining_error())
        if self._running + self._waiting >= self.threads + self._queue_size:
            raise self._rejection(self._overload_error())
        self._count(waiting=1)
        end = asyncio.get_running_loop().time() + deadline.remaining
        try:
            async with self._queue_gate.inside(), asyncio.timeout_at(end):
                await self._free.acquire()
        except Unavailable as error:
            raise self._rejection(error) from None
        except TimeoutError:
            raise self._rejection(_too_late_error("while the request waited for a free thread")) from None
        finally:
            self._count(waiting=-1)
        # The executor may have closed, or the deadline passed, just as the thread became free.
        if not self._open or deadline.remaining <= 0:
            self._free.release()
            raise self._rejection(
                _too_late_error("before any work began") if self._open else draining_error()
            )
        self._count(running=1)

    def _release(self, deadline: Deadline, started: float) -> None:
        self._deadlines.discard(deadline)
        self._mean_seconds += NEWEST_WEIGHT * (Deadline.now() - started - self._mean_seconds)
        self._free.release()
        self._count(running=-1)

    def _count(self, waiting: int = 0, running: int = 0) -> None:
        self._waiting += waiting
        self._running += running
        self._report()

    def _report(self) -> None:
        self._observer.notice(ExecutorState(self._name, self._waiting, self._running))

    def _rejection(self, error: SequelaError) -> SequelaError:
        """Reports an error to the observer and returns it."""
        self._observer.notice(RequestRejected(self._name, error.reason))
        return error

    def _overload_error(self) -> Overloaded:
        # The work before a new request, in rounds of all threads.
        rounds = (self._waiting + self._running) / self.threads
        return Overloaded(
            "QUEUE_FULL",
            f"{self._running} requests are running and {self._waiting} are waiting, the most that may wait is "
            f"{self._queue_size}; retry later",
            retry_after=max(MIN_RETRY_SECONDS, rounds * self._mean_seconds),
        )


@dataclass(frozen=True, slots=True)
class Executors:
    """One executor for each kind of work, so that one kind does not delay another.

    Attributes:
        explain: Work that runs models of the operator.
        remote: Work with models that run on other servers, which mostly waits for responses.
        lookup: Work that only looks up data, or reads and writes messages.
        uploads: Work that loads or runs models from callers.
    """

    explain: Executor
    remote: Executor
    lookup: Executor
    uploads: Executor

    def close(self, until: float) -> None:
        """Accepts no more work, and lets running work conclude by `until`, in seconds on the monotonic clock."""
        for executor in self._all():
            executor.close(until)

    def shut_down(self) -> None:
        """Lets each thread end after its current work, without waiting for it."""
        for executor in self._all():
            executor.shut_down()

    def _all(self) -> Iterator[Executor]:
        yield from (self.explain, self.remote, self.lookup, self.uploads)


def _call_in_loop(loop: asyncio.AbstractEventLoop, callback: Callable[[], None], _: Future[T]) -> None:
    with contextlib.suppress(RuntimeError):  # if work outlives the server, the loop is closed
        loop.call_soon_threadsafe(callback)


def _too_late_error(when: str) -> OutOfTime:
    return OutOfTime("DEADLINE_TOO_SHORT", f"the deadline passed {when}")
