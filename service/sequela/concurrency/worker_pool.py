"""The pool of threads that all requests share. It runs as many jobs at a time as it has workers.

Requests take turns job by job, so a small request does not wait until a large one has ended. A request with one job
runs it in its own thread if a worker is free, which saves a change of threads. Several jobs run in the pool's threads.
Each of these threads is bound to a core if there are as many cores as workers. Otherwise the system often leaves two
threads that wake each other on one core for some milliseconds, and many requests take no longer than that.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from sequela.concurrency.job_group import Job, JobGroup
from sequela.errors import Unavailable

T = TypeVar("T")

CHECK_INTERVAL_SECONDS = 0.02
"""How often a waiting caller checks whether it should go on waiting."""

_Inbox: TypeAlias = SimpleQueue[Job | None]
"""Where one thread waits for its next job. None ends the thread."""


class WorkerPool:
    """Runs the jobs of several requests, at most `workers` at a time. Safe to call from several threads at once.

    A job must not call `run`: it would wait for the worker that it occupies.

    Args:
        workers: How many jobs run at a time.
        cores: The core of each worker's thread. Without them the system places the threads.
        name: What the names of the threads begin with.

    Attributes:
        workers: The number of workers.
        width: How many of them may work now; see `resize`.
    """

    def __init__(self, workers: int, cores: Sequence[int] = (), name: str = "pool") -> None:
        self.workers = self.width = workers
        self._lock = threading.Lock()
        self._free = workers
        self._queue: deque[JobGroup] = deque()  # those with waiting jobs, in the order of their turns
        self._closed = False
        self._cores, self._name = tuple(cores), name
        self._inboxes: list[_Inbox] = []
        # A stack: a thread that has just ended a job gets the next one, so that no other thread has to wake up.
        self._idle: list[_Inbox] = []

    @property
    def busy(self) -> int:
        """The number of jobs that run."""
        return self.width - self._free

    @property
    def waiting(self) -> int:
        """The number of requests with jobs that wait."""
        return len(self._queue)

    def run(self, jobs: Iterable[Callable[[], T]], check: Callable[[], None] | None = None) -> list[T]:
        """Runs jobs and returns their results in order.

        Each job is taken from its iterator when its turn comes, and runs in the caller's context (`contextvars`). When
        a job or the iterator raises, jobs that have not begun are dropped, and those that run are waited for.

        Args:
            jobs: The jobs.
            check: Called now and then while the caller waits. If it raises, the wait ends: jobs that have not begun are
                dropped, and those that run are left alone.

        Raises:
            Unavailable: DRAINING. The pool is closed.
            Exception: What the jobs would have raised if they had run one after the other.
        """
        group = JobGroup(iter(jobs))
        if group.has_one_job() and self._take_worker():
            group.execute(group.next_job())
            with self._lock:
                self._free += 1
                self._dispatch()
        else:
            self._enqueue(group)
            self._wait(group, check)
        return group.outcome()

    @contextlib.contextmanager
    def aside(self, job: Callable[[], None]) -> Iterator[None]:
        """Runs a job while the context lasts, and waits for it at the end. Raises what `run` raises.

        If the context raises, a job that has not begun is dropped.
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
        """Sets how many workers, from 1 to all, may work. If too many work at the moment, they end their jobs."""
        with self._lock:
            self._free += width - self.width
            self.width = width
            self._dispatch()

    def close(self) -> None:
        """Drops waiting jobs, and ends each thread after its job. Does not wait for them."""
        with self._lock:
            self._closed = True
            while self._queue:
                group = self._queue.popleft()
                group.fail(len(group.results), _draining())
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
        """Drops what has not begun, and does not wait for what runs."""
        with self._lock:
            group.fail(len(group.results), _dropped())
            if group in self._queue:
                self._queue.remove(group)

    def _drop(self, group: JobGroup) -> None:
        """Drops what has not begun, and waits for what runs."""
        with self._lock:
            if group in self._queue:
                self._queue.remove(group)
                group.fail(0, _dropped())
                group.conclude()
        group.ended.get()

    def _take_worker(self) -> bool:
        """Returns whether a worker is free and nobody waits for it; the caller's thread then counts as it."""
        with self._lock:
            if self._queue or self._free <= 0 or self._closed:
                return False
            self._free -= 1
            return True

    def _enqueue(self, group: JobGroup) -> None:
        with self._lock:
            if self._closed:
                group.fail(0, _draining())
                group.conclude()
            else:
                self._queue.append(group)
                self._dispatch()

    def _work(self, inbox: _Inbox, core: set[int]) -> None:
        # A sandbox may forbid this, or the core may have been taken away.
        with contextlib.suppress(OSError, ValueError):
            if core:
                os.sched_setaffinity(0, core)  # of this thread alone
        while (job := inbox.get()) is not None:
            group = job.group
            # Two threads cannot enter the same context at a time, so each job gets a copy.
            group.context.copy().run(group.execute, job)
            with self._lock:
                self._free += 1
                self._idle.append(inbox)
                self._dispatch()
                group.running -= 1
                group.conclude()
            del job, group  # an idle thread must not keep arrays alive

    def _dispatch(self) -> None:
        """Gives jobs to free workers, one from each group in turn."""
        while self._free > 0 and self._queue:
            group = self._queue.popleft()
            if group.exhausted:
                group.conclude()
                continue
            job = group.next_job()
            if not group.exhausted:
                self._queue.append(group)
            self._free -= 1
            group.running += 1
            (self._idle.pop() if self._idle else self._start_thread()).put(job)

    def _start_thread(self) -> _Inbox:
        """Starts a thread. There are never more than workers, because no more jobs run at a time."""
        number, inbox = len(self._inboxes), _Inbox()
        self._inboxes.append(inbox)
        core = {self._cores[number]} if self._cores else set[int]()
        threading.Thread(
            target=self._work, args=(inbox, core), name=f"{self._name}-{number}", daemon=True
        ).start()
        return inbox


def _dropped() -> Unavailable:
    return Unavailable("DROPPED", "the request no longer waits for this job")


def _draining() -> Unavailable:
    return Unavailable("DRAINING", "the server is draining", retry_after=1.0)
