"""The pool of threads that all requests share. It runs at most one job per worker.

Requests take turns job by job, so a small request does not wait for a large one to finish. A request with a single job
runs it in its own thread if a worker is free, which avoids a context switch. Several jobs run in the pool's threads.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from sequela.concurrency.job_group import JobGroup, JobItem
from sequela.errors import Unavailable

T = TypeVar("T")

CHECK_INTERVAL_SECONDS = 0.02
"""How often a waiting caller checks whether it should continue to wait."""

_Inbox: TypeAlias = SimpleQueue[JobItem | None]
"""The queue from which one thread takes its next item. None ends the thread."""


class _ThreadState(threading.local):
    """Whether the present thread runs a job of the pool."""

    has_worker = False


class WorkerPool:
    """Runs the jobs of several requests, at most `workers` of them concurrently. Thread-safe.

    A job may call `run` and `run_one`: these jobs then run one after another on the worker that it occupies.

    Args:
        workers: How many jobs may run concurrently.
        on_thread_start: Called in each new thread with its number, from 0 to workers - 1. It must not raise.
        name: The prefix of the thread names.

    Attributes:
        workers: The number of workers.
        width: How many of the workers may run jobs at present; see `resize`.
    """

    def __init__(
        self, workers: int, on_thread_start: Callable[[int], None] | None = None, name: str = "pool"
    ) -> None:
        self.workers = self.width = workers
        self._lock = threading.Lock()
        self._free = workers
        self._queue: deque[JobGroup] = deque()  # those with waiting jobs, in the order of their turns
        self._closed = False
        self._on_thread_start, self._name = on_thread_start, name
        self._thread = _ThreadState()
        self._inboxes: list[_Inbox] = []
        # A stack: a thread that has just ended a job gets the next one, so that no other thread has to wake up.
        self._idle: list[_Inbox] = []

    @property
    def busy(self) -> int:
        """The number of jobs that are running."""
        return self.width - self._free

    @property
    def waiting(self) -> int:
        """The number of requests that have waiting jobs."""
        return len(self._queue)

    def run(self, jobs: Iterable[Callable[[], T]], check: Callable[[], None] | None = None) -> list[T]:
        """Runs jobs and returns their results in order.

        Each job is taken from the iterator when its turn comes, and runs in the caller's context (`contextvars`). If
        a job or the iterator raises, jobs that have not started are dropped and running jobs are waited for.

        Args:
            jobs: The jobs.
            check: Called periodically while the caller waits. If it raises, the wait ends: jobs that have not started
                are dropped, and running jobs are not waited for.

        Raises:
            Unavailable: DRAINING, if the pool is closed.
            Exception: The exception that running the jobs one after the other would have raised.
        """
        if self._thread.has_worker:
            return [job() for job in jobs]
        group = JobGroup(iter(jobs))
        if group.has_one_job() and self._take_worker():
            self._execute_here(partial(group.execute, group.next_item()))
        else:
            self._enqueue(group)
            self._wait(group, check)
        return group.outcome()

    def run_one(self, job: Callable[[], T]) -> T:
        """Runs a single job and returns its result, as `run` does."""
        # Small requests run many single jobs, so this path does without a group if it can.
        if self._thread.has_worker:
            return job()
        if self._take_worker():
            return self._execute_here(job)
        (result,) = self.run([job])
        return result

    def _execute_here(self, job: Callable[[], T]) -> T:
        """Runs a job in this thread on the worker that `_take_worker` gave it, and gives the worker back."""
        self._thread.has_worker = True
        try:
            return job()
        finally:
            self._thread.has_worker = False
            with self._lock:
                self._free += 1
                self._dispatch()

    @contextlib.contextmanager
    def aside(self, job: Callable[[], None]) -> Iterator[None]:
        """Runs a job alongside the body of the context, and waits for it on exit. Raises what `run` raises.

        If the body raises, a job that has not started is dropped.
        """
        group = JobGroup(iter((job,)))
        self._enqueue(group)
        try:
            yield
        except BaseException:
            self._drop(group)
            raise
        group.ended.get()
        group.outcome()

    def resize(self, width: int) -> None:
        """Sets how many workers, from 1 to all, may run jobs. Jobs that are already running are not interrupted."""
        with self._lock:
            self._free += width - self.width
            self.width = width
            self._dispatch()

    def close(self) -> None:
        """Drops waiting jobs and ends each thread after its current job, without waiting for it."""
        with self._lock:
            self._closed = True
            while self._queue:
                group = self._queue.popleft()
                group.fail(len(group.results), _draining_error())
                group.conclude()
        for inbox in self._inboxes:
            inbox.put(None)

    def _wait(self, group: JobGroup, check: Callable[[], None] | None) -> None:
        while True:
            with contextlib.suppress(Empty):
                group.ended.get(timeout=CHECK_INTERVAL_SECONDS if check else None)
                return
            try:
                if check:
                    check()
            except BaseException:
                self._abandon(group)
                raise

    def _abandon(self, group: JobGroup) -> None:
        """Drops the jobs that have not started, and does not wait for running ones."""
        with self._lock:
            # This failure comes after all jobs that have started, so their own errors take precedence.
            group.fail(len(group.results), _dropped_error())
            if group in self._queue:
                self._queue.remove(group)

    def _drop(self, group: JobGroup) -> None:
        """Drops the jobs that have not started, and waits for running ones."""
        with self._lock:
            if group in self._queue:
                self._queue.remove(group)
                group.fail(0, _dropped_error())
                group.conclude()
        group.ended.get()

    def _take_worker(self) -> bool:
        """Returns whether a worker is free and nobody waits for it. If so, the caller's thread takes its place."""
        with self._lock:
            if self._queue or self._free <= 0 or self._closed:
                return False
            self._free -= 1
            return True

    def _enqueue(self, group: JobGroup) -> None:
        with self._lock:
            if self._closed:
                group.fail(0, _draining_error())
                group.conclude()
            else:
                self._queue.append(group)
                self._dispatch()

    def _work(self, inbox: _Inbox, number: int) -> None:
        self._thread.has_worker = True
        if self._on_thread_start:
            self._on_thread_start(number)
        while (item := inbox.get()) is not None:
            group = item.group
            # A context can be entered by one thread only, so each job gets a copy.
            group.context.copy().run(group.execute, item)
            with self._lock:
                self._free += 1
                self._idle.append(inbox)
                self._dispatch()
                group.running -= 1
                group.conclude()
            del item, group  # an idle thread must not keep arrays alive

    def _dispatch(self) -> None:
        """Gives jobs to free workers, one from each group in turn."""
        while self._free > 0 and self._queue:
            group = self._queue.popleft()
            if group.exhausted:
                group.conclude()
                continue
            item = group.next_item()
            if not group.exhausted:
                self._queue.append(group)
            self._free -= 1
            group.running += 1
            (self._idle.pop() if self._idle else self._start_thread()).put(item)

    def _start_thread(self) -> _Inbox:
        """Starts a thread. There are never more threads than workers, because `width` bounds the running jobs."""
        number, inbox = len(self._inboxes), _Inbox()
        self._inboxes.append(inbox)
        threading.Thread(
            target=self._work, args=(inbox, number), name=f"{self._name}-{number}", daemon=True
        ).start()
        return inbox


def _dropped_error() -> Unavailable:
    return Unavailable("DROPPED", "the request no longer waits for this job")


def _draining_error() -> Unavailable:
    return Unavailable("DRAINING", "the server is draining", retry_after=1.0)
