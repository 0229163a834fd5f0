"""The jobs of one call of `WorkerPool.run`: which come next, which run, and what they returned."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn


class Job(NamedTuple):
    """One job, and the place of its result."""

    group: JobGroup
    place: int
    function: Callable[[], Any]


@dataclass(slots=True, eq=False)
class JobGroup:
    """Jobs that one caller waits for. The pool changes it under its lock, except for results and failures.

    Attributes:
        source: The jobs. Each is taken when its turn comes.
        context: The caller's context variables, which the jobs see.
        ended: Gets an item once all jobs have ended.
        results: What the jobs returned, in their order.
        lookahead: Jobs taken from the source that have not begun.
        running: How many jobs run in the pool's threads.
        concluded: Whether `ended` has its item.
        failures: The exceptions that were raised, with the places of their jobs.
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
        """Whether no more jobs will begin."""
        if not self.failures:
            self._look_ahead(1)
        return bool(self.failures) or not self.lookahead

    def next_job(self) -> Job:
        """Takes the next job."""
        self._look_ahead(1)
        self.results.append(None)
        return Job(self, len(self.results) - 1, self.lookahead.popleft())

    def execute(self, job: Job) -> None:
        """Runs a job, and keeps its result or its exception."""
        try:
            self.results[job.place] = job.function()
        except BaseException as error:
            self.fail(job.place, error)

    def fail(self, place: int, error: BaseException) -> None:
        """Keeps an exception. No more jobs begin."""
        self.failures.append((place, error))

    def conclude(self) -> None:
        """Tells the caller if nothing runs and nothing more will begin."""
        if not self.concluded and not self.running and self.exhausted:
            self.concluded = True
            self.ended.put(None)

    def outcome(self) -> list[Any]:
        """Returns the results, or raises what the first job in order that failed raised.

        Jobs begin in order, so no job before that one was left out.
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
