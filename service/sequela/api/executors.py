"""Executors: threads for synchronous work, so that it never blocks the event loop.

An executor has a fixed number of threads, and slots that decide which tasks run in them (`api/admission/`). If there is
no room, work is rejected at once, because an answer that is too late is of no use. A thread counts as busy until its
work has actually ended, even if the caller is gone.
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

from sequela.api.admission.counted_slots import CountedSlots
from sequela.api.admission.refusals import DEADLINE_TOO_SHORT, spent_waiting
from sequela.api.admission.slots import Slots
from sequela.api.admission.ticket import Ticket
from sequela.api.drain_gate import draining_error
from sequela.concurrency.deadline import Deadline
from sequela.errors import OutOfTime, SequelaError
from sequela.explain.ports import Observer
from sequela.explain.telemetry import ExecutorState, RequestRejected
from sequela.spans import span

T = TypeVar("T")


class Executor:
    """Runs one task in each of its threads, and lets more tasks wait.

    Must be used from a single event loop.

    Args:
        name: The executor's name in metrics and thread names.
        threads: How many tasks run concurrently.
        queue_size: How many more tasks may wait, unless `slots` decides that.
        observer: Receives the numbers of running and waiting tasks, and all rejections.
        conclusion_seconds: The processor time that a task needs to conclude once its time is over, in seconds. If
            many tasks have the same deadline, each of them ends earlier by this much for every task that started
            before it, so that they conclude one after another.
        slots: Decides which task may begin. None: in the order of arrival, with at most `queue_size` that wait.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        queue_size: int,
        observer: Observer,
        conclusion_seconds: float = 0.0,
        slots: Slots | None = None,
    ) -> None:
        self.threads = threads
        self._conclusion_seconds = conclusion_seconds
        self._name = name
        self._observer = observer
        # The thread pool has a queue too, but work in it could neither be rejected nor time out.
        self._slots: Slots = slots or CountedSlots(threads, queue_size)
        self._waiting = 0
        self._running = 0
        self._deadlines: set[Deadline] = set()
        # One thread for each slot, so nothing ever waits in the pool's own queue.
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._report()

    async def run(self, work: Callable[[], T], deadline: Deadline, ticket: Ticket | None = None) -> T:
        """Runs `work` in a thread, and waits for a free one no longer than the deadline allows.

        If the asyncio task that waits is cancelled, the deadline is cancelled too, and the work stops at its next
        check.

        Args:
            work: The work.
            deadline: Its deadline.
            ticket: What is known of the request; required if `slots` admits requests by their cost.

        Raises:
            Overloaded: QUEUE_FULL.
            Unavailable: DRAINING.
            OutOfTime: DEADLINE_TOO_SHORT, or DEADLINE_SPENT_WAITING.
            Exception: Whatever `work` raises.
        """
        entered = deadline.now()
        with span("wait", attributes={"sequela.executor": self._name}):
            await self._acquire(deadline, ticket)
        deadline.keep_back(self._conclusion_seconds * (self._running - 1))
        self._deadlines.add(deadline)
        # The context carries the request id to the log lines of the thread.
        future = self._pool.submit(contextvars.copy_context().run, work)
        started, ended = deadline.now(), asyncio.Event()
        # The callback runs in the worker's thread, but the counts may only change in the event loop.
        release = functools.partial(self._release, deadline, started, ended)
        future.add_done_callback(functools.partial(_call_in_loop, asyncio.get_running_loop(), release))
        try:
            # An event and not an asyncio future: asyncio would report the error of work that outlives its caller.
            await ended.wait()
            return future.result()
        except asyncio.CancelledError:
            deadline.cancel()
            raise
        except OutOfTime as error:
            # Draining hurried the deadline. The caller's own has time left, so another server may still answer.
            if deadline.hurried:
                raise draining_error() from None
            waited, worked = started - entered, deadline.now() - started
            if error.reason == DEADLINE_TOO_SHORT and (deadline.gave_way or waited > worked):
                raise spent_waiting("other requests") from None
            raise
        finally:
            # An error refers to this frame. Without this, the two would live until Python looks for cycles, and with
            # them all that the request refers to, such as a model that was removed.
            del future

    def close(self, until: float) -> None:
        """Accepts no more work, rejects waiting work, and lets running work conclude by `until` (monotonic clock)."""
        self._slots.close()
        for deadline in self._deadlines:
            deadline.hurry(until)

    def shut_down(self) -> None:
        """Lets each thread end after its current work, without waiting for it."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _acquire(self, deadline: Deadline, ticket: Ticket | None) -> None:
        """Waits for a free thread."""
        self._count(waiting=1)
        try:
            await self._slots.enter(ticket, deadline)
        except SequelaError as error:
            self._observer.notice(RequestRejected(self._name, error.reason))
            raise
        finally:
            self._count(waiting=-1)
        self._count(running=1)

    def _release(self, deadline: Deadline, started: float, ended: asyncio.Event, future: Future[T]) -> None:
        try:
            self._deadlines.discard(deadline)
            self._slots.leave(deadline, Deadline.now() - started, future.exception())
            self._count(running=-1)
        finally:
            ended.set()

    def _count(self, waiting: int = 0, running: int = 0) -> None:
        self._waiting += waiting
        self._running += running
        self._report()

    def _report(self) -> None:
        self._observer.notice(ExecutorState(self._name, self._waiting, self._running))


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


def _call_in_loop(
    loop: asyncio.AbstractEventLoop, callback: Callable[[Future[T]], None], future: Future[T]
) -> None:
    with contextlib.suppress(RuntimeError):  # if work outlives the server, the loop is closed
        loop.call_soon_threadsafe(callback, future)
