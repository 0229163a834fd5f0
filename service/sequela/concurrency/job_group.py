"""The jobs of one `WorkerPool.run` call: the ones still to start, the ones running, and their results."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn


class JobItem(NamedTuple):
    """One job, and the index of its result."""

    group: JobGroup
    place: int
    job: Callable[[], Any]


@dataclass(slots=True, eq=False)
class JobGroup:
    """Jobs that one caller waits for. The pool holds its lock to change anything but results and failures.

    Attributes:
        source: The jobs. Each is taken when its turn comes.
        context: The caller's context variables, which the jobs see.
        ended: Receives one item once all jobs have ended.
        results: What the jobs returned, in their order.
        lookahead: Jobs taken from the source that have not begun.
        running: How many jobs run in the pool's threads.
        concluded: Whether `ended` has received its item.
        failures: The exceptions that were raised, with the indices of their jobs.
    """

    source: Iterator[Callable[[], Any]]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    ended: SimpleQueue[None] = field(default_factory=SimpleQueue)
    results: list[Any] = field(default_factory=list)
    lookahead: deque[Callable[[], Any]] = field(default_factory=deque)
    running: int = 0
    concluded: bool = False
    failures: list[tuple[int, BaseException]] = field(default_factory=list)

    def has_one_job(self) -> bool:
        """Returns whether there is exactly one job."""
        self._look_ahead(2)
        return len(self.lookahead) == 1

    @property
    def exhausted(self) -> bool:
        """Whether no more jobs will start."""
        if not self.failures:
            self._look_ahead(1)
        return bool(self.failures) or not self.lookahead

    def next_item(self) -> JobItem:
        """Takes the next job."""
        self._look_ahead(1)
        self.results.append(None)
        return JobItem(self, len(self.results) - 1, self.lookahead.popleft())

    def execute(self, item: JobItem) -> None:
        """Runs a job and stores its result or exception."""
        try:
            self.results[item.place] = item.job()
        except BaseException as error:
            self.fail(item.place, error)

    def fail(self, place: int, error: BaseException) -> None:
        """Stores an exception and stops further jobs from starting."""
        self.failures.append((place, error))

    def conclude(self) -> None:
        """Wakes the caller once no job is running and no more will start."""
        if not self.concluded and not self.running and self.exhausted:
            self.concluded = True
            self.ended.put(None)

    def outcome(self) -> list[Any]:
        """Returns the results, or raises the exception of the first job, in order, that failed.

        Jobs start in order, so no job before that one was skipped.
        """
        if not self.failures:
            return self.results
        try:
            raise min(self.failures, key=itemgetter(0))[1]
        finally:
            # The exception refers to this frame, and the frame to it: this cycle would keep the jobs' arrays alive.
            self.failures.clear()

    def _look_ahead(self, count: int) -> None:
        while len(self.lookahead) < count:
            try:
                job = next(self.source, None)
            except BaseException as error:
                self.source = iter(())
                job = partial(_raise, error)  # in its turn, because jobs before it may still fail
            if job is None:
                return
            self.lookahead.append(job)


def _raise(error: BaseException) -> NoReturn:
    raise error
