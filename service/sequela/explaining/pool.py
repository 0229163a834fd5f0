"""The worker pool that all requests share: as many jobs at a time as there are workers, whoever asks.

Requests take turns job by job, so a small one does not wait for a large one to end. A request's own thread
runs its jobs when their turn comes, and the pool's threads help while it is busy: a small request changes no
threads. A place is handed to the one thread that uses it next, so nobody is woken for nothing.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn, TypeVar

from sequela.errors import Unavailable

T = TypeVar("T")

AHEAD = 2
"""Jobs of a request that run or wait, for each worker: helpers then find one as soon as they are free."""


class Pool:
    """Runs the jobs of several requests, at most `workers` at a time. Safe to call from several threads at
    once.

    A job must not call `run` itself: it would wait for the place that it holds.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._lock = threading.Lock()
        self._free = workers
        self._turns: deque[_Run] = deque()  # the runs with jobs that wait, the next one first
        self._closed = False
        self._hands: list[_Hand] = [SimpleQueue() for _ in range(workers)]
        # The last to stop is the first to go on: a helper that just ended a job gets the next one itself.
        self._idle = list(self._hands)
        for number, hand in enumerate(self._hands):
            threading.Thread(target=self._help, args=(hand,), name=f"pool-{number}", daemon=True).start()

    @property
    def busy(self) -> int:
        """Jobs that run now."""
        return self.workers - self._free

    @property
    def waiting(self) -> int:
        """Jobs that wait for their turn; those still in their iterators do not count."""
        with self._lock:
            return sum(len(run.waiting) for run in self._turns)

    def run(self, jobs: Iterable[Callable[[], T]]) -> list[T]:
        """What the jobs return, in their order.

        The calling thread takes them from their iterator a few at a time: at most 2 × workers run or wait.
        Each runs in the caller's context (`contextvars`), in whatever thread. When a job fails, or taking the
        next one does, those not begun are dropped, those running are waited for, and what is raised is what
        running one after the other would have raised. Raises Unavailable (DRAINING) once the pool is closed.
        """
        run = _Run(iter(jobs), AHEAD * self.workers)
        run.take()
        with self._lock:
            run.parked = True
            self._line_up(run)
        return self._to_the_end(run)

    @contextmanager
    def aside(self, job: Callable[[], None]) -> Iterator[None]:
        """Runs a job beside what the context does, in another thread where one is free; it has ended when the
        context ends. Raises as `run` does.
        """
        run = _Run(iter((job,)), 1)
        run.take()
        with self._lock:
            self._line_up(run)
        try:
            yield
        finally:
            with self._lock:
                run.parked = True
                self._deal(run)
            self._to_the_end(run)

    def _to_the_end(self, run: _Run) -> list[Any]:
        while (task := run.hand.get()) is not None:
            run.do(task)
            # Taken while the place is kept: a helper would else be woken for what this thread does next.
            run.take()
            with self._lock:
                self._end(run)
                run.parked = True
                self._line_up(run)
        return run.outcome()

    def close(self) -> None:
        """Drops the jobs that wait, and lets the pool's threads go once theirs have ended. Waits for none."""
        with self._lock:
            self._closed = True
            for run in tuple(self._turns):
                run.fail(run.waiting[0].place, _closing())
                self._deal(run)
        for hand in self._hands:
            hand.put(None)

    def _help(self, hand: _Hand) -> None:
        while (task := hand.get()) is not None:
            run = task.run
            # A copy, since two threads cannot be in one context at a time.
            run.context.copy().run(run.do, task)
            with self._lock:
                self._end(run)
                self._idle.append(hand)
                self._deal(run)
            del task, run  # an idle thread holds on to no arrays

    def _line_up(self, run: _Run) -> None:
        """What was taken waits for its turn."""
        taken, run.taken = run.taken, []
        if taken and self._closed:
            run.fail(taken[0].place, _closing())
        elif taken:
            if not run.waiting:
                self._turns.append(run)
            run.waiting.extend(taken)
            run.open += len(taken)
        self._deal(run)

    def _end(self, run: _Run) -> None:
        """A job of the run has ended."""
        self._free += 1
        run.open -= 1

    def _deal(self, run: _Run) -> None:
        """Concludes the run that changed where it is over, then hands out the free places, turn by turn."""
        if run.failures and run.waiting:
            run.open -= len(run.waiting)
            run.waiting.clear()
            self._turns.remove(run)
        if run.parked and not run.open:
            run.wake(None)
        while self._free and self._turns:
            self._free -= 1
            upcoming = self._turns.popleft()
            task = upcoming.waiting.popleft()
            if upcoming.waiting:
                self._turns.append(upcoming)
            if upcoming.parked:
                upcoming.wake(task)
            else:
                self._idle.pop().put(task)


class _Task(NamedTuple):
    """One job, and the place of its result."""

    run: _Run
    place: int
    job: Callable[[], Any]


_Hand = SimpleQueue[_Task | None]
"""Where one thread waits for its next task; None sends it away."""


@dataclass(slots=True, eq=False)
class _Run:
    """One call of `Pool.run`. `open`, `waiting` and `parked` are changed under the pool's lock only.

    open: jobs that run or wait, at most `most`. taken: jobs not yet lined up. parked: the caller's thread
    waits at `hand`.
    """

    source: Iterator[Callable[[], Any]]
    most: int
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    hand: _Hand = field(default_factory=SimpleQueue)
    results: list[Any] = field(default_factory=list)
    taken: list[_Task] = field(default_factory=list)
    waiting: deque[_Task] = field(default_factory=deque)
    open: int = 0
    parked: bool = False
    failures: list[tuple[int, BaseException]] = field(default_factory=list)

    def take(self) -> None:
        """Takes as many jobs as there is room for; at least one, since the caller's own has just ended.

        So none taken means that there are no more.
        """
        room = max(self.most - self.open, 1)
        while len(self.taken) < room and not self.failures and (job := self._next_job()):
            self.taken.append(_Task(self, len(self.results), job))
            self.results.append(None)

    def _next_job(self) -> Callable[[], Any] | None:
        try:
            return next(self.source, None)
        except BaseException as error:
            self.source = iter(())
            return partial(_raise, error)  # in its turn: the jobs before it may still fail by themselves

    def do(self, task: _Task) -> None:
        """Runs a job of this run."""
        try:
            self.results[task.place] = task.job()
        except BaseException as error:
            self.fail(task.place, error)

    def fail(self, place: int, error: BaseException) -> None:
        """No more jobs begin."""
        self.failures.append((place, error))

    def wake(self, task: _Task | None) -> None:
        """Lets the caller's thread go on with a job of its own, or to the end."""
        self.parked = False
        self.hand.put(task)

    def outcome(self) -> list[Any]:
        """The results. Raises what the first job in order to fail raised: jobs begin in order, so none before it
        was left out.
        """
        if not self.failures:
            return self.results
        try:
            raise min(self.failures, key=itemgetter(0))[1]
        finally:
            self.failures.clear()  # the error knows this frame: a circle that would keep the jobs' arrays


def _raise(error: BaseException) -> NoReturn:
    raise error


def _closing() -> Unavailable:
    return Unavailable("DRAINING", "the server is draining", retry_after=1.0)
