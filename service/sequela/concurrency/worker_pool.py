"""The worker pool that all requests share: as many jobs at a time as there are workers, whoever asks.

Requests take turns job by job, so a small one does not wait for a large one to end. A request of a single job runs
it in its own thread where a place is free, so that small requests change no threads; several jobs run in the
pool's threads. Each of these is bound to a core where the process has no more cores than workers: two threads that
wake each other are easily left on one core for the first milliseconds, which may be all there is to do.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, NoReturn, TypeAlias, TypeVar

from sequela.errors import Unavailable

T = TypeVar("T")

LOOK = 0.02
"""Seconds between looks of who waits."""


class WorkerPool:
    """Runs the jobs of several requests, at most `workers` at a time. Safe to call from several threads at once.

    cores: one for each worker's thread; none: the system places them. `width` is how many of the workers may be at
    work now. A job must not call `run` itself: it would wait for the place that it holds.
    """

    def __init__(self, workers: int, cores: Sequence[int] = (), name: str = "pool") -> None:
        self.workers = self.width = workers
        self._lock = threading.Lock()
        self._free = workers
        self._turns: deque[_Run] = deque()  # the runs with jobs that wait, the next one first
        self._closed = False
        self._cores, self._name = tuple(cores), name
        self._hands: list[_Hand] = []
        # The last to stop is the first to go on: a worker that just ended a job gets the next one itself.
        self._idle: list[_Hand] = []

    @property
    def busy(self) -> int:
        """Jobs that run now."""
        return self.width - self._free

    @property
    def waiting(self) -> int:
        """Requests with jobs that wait for their turn."""
        return len(self._turns)

    def run(self, jobs: Iterable[Callable[[], T]], look: Callable[[], None] | None = None) -> list[T]:
        """What the jobs return, in their order.

        look: called every while by who waits; what it raises ends the wait. Jobs not begun are then dropped, and those
        that run are left to themselves.

        Each is taken from its iterator when its turn comes, and runs in the caller's context (`contextvars`).
        When a job fails, or taking the next one does, those not begun are dropped, those running are waited for,
        and what is raised is what running one after the other would have raised. Raises Unavailable (DRAINING)
        once the pool is closed.
        """
        run = _Run(iter(jobs))
        if run.has_one() and self._takes_place():
            run.do(run.pull())
            with self._lock:
                self._free += 1
                self._deal()
        else:
            self._line_up(run)
            self._wait(run, look)
        return run.outcome()

    @contextlib.contextmanager
    def aside(self, job: Callable[[], None]) -> Iterator[None]:
        """Runs a job beside what the context does; it has ended when the context ends. Raises as `run` does. Where
        the context fails, a job not begun is dropped.
        """
        run = _Run(iter((job,)))
        self._line_up(run)
        try:
            yield
        except BaseException:
            self._drop(run)
            raise
        run.ended.get()
        run.outcome()

    def resize(self, width: int) -> None:
        """Lets so many workers, from 1 to all, be at work from now on; those that are too many end what they do."""
        with self._lock:
            self._free += width - self.width
            self.width = width
            self._deal()

    def close(self) -> None:
        """Drops the jobs that wait, and lets the pool's threads go once theirs have ended. Waits for none."""
        with self._lock:
            self._closed = True
            while self._turns:
                run = self._turns.popleft()
                run.fail(len(run.results), _closing())
                run.conclude()
        for hand in self._hands:
            hand.put(None)

    def _wait(self, run: _Run, look: Callable[[], None] | None) -> None:
        while True:
            with contextlib.suppress(Empty):
                run.ended.get(timeout=LOOK if look else None)
                return
            try:
                if look:
                    look()
            except BaseException:
                self._abandon(run)
                raise

    def _abandon(self, run: _Run) -> None:
        with self._lock:
            run.fail(len(run.results), Unavailable("DROPPED", "nobody waits for it"))
            if run in self._turns:
                self._turns.remove(run)

    def _drop(self, run: _Run) -> None:
        with self._lock:
            if run in self._turns:
                self._turns.remove(run)
                run.fail(0, Unavailable("DROPPED", "nobody waits for it"))
                run.conclude()
        run.ended.get()

    def _takes_place(self) -> bool:
        with self._lock:
            if self._turns or self._free <= 0 or self._closed:
                return False
            self._free -= 1
            return True

    def _line_up(self, run: _Run) -> None:
        with self._lock:
            if self._closed:
                run.fail(0, _closing())
                run.conclude()
            else:
                self._turns.append(run)
                self._deal()

    def _work(self, hand: _Hand, core: set[int]) -> None:
        # A sandbox may forbid it, or the core have been taken away.
        with contextlib.suppress(OSError, ValueError):
            if core:
                os.sched_setaffinity(0, core)  # of this thread alone
        while (task := hand.get()) is not None:
            run = task.run
            # A copy, since two threads cannot be in one context at a time.
            run.context.copy().run(run.do, task)
            with self._lock:
                self._free += 1
                self._idle.append(hand)
                self._deal()
                run.running -= 1
                run.conclude()
            del task, run  # an idle thread holds on to no arrays

    def _deal(self) -> None:
        """Hands out the free places, turn by turn."""
        while self._free > 0 and self._turns:
            run = self._turns.popleft()
            if run.exhausted:
                run.conclude()
                continue
            task = run.pull()
            if not run.exhausted:
                self._turns.append(run)
            self._free -= 1
            run.running += 1
            (self._idle.pop() if self._idle else self._hire()).put(task)

    def _hire(self) -> _Hand:
        """One more thread; there are never more than workers, since so many jobs run at most."""
        number, hand = len(self._hands), _Hand()
        self._hands.append(hand)
        core = {self._cores[number]} if self._cores else set[int]()
        threading.Thread(
            target=self._work, args=(hand, core), name=f"{self._name}-{number}", daemon=True
        ).start()
        return hand


class _Task(NamedTuple):
    """One job, and the place of its result."""

    run: _Run
    place: int
    job: Callable[[], Any]


_Hand: TypeAlias = SimpleQueue[_Task | None]
"""Where one thread waits for its next task; None sends it away."""


@dataclass(slots=True, eq=False)
class _Run:
    """One call of `WorkerPool.run`; `running` counts its jobs in the pool's threads. Changed under the pool's lock,
    except for results and failures.
    """

    source: Iterator[Callable[[], Any]]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    ended: SimpleQueue[None] = field(default_factory=SimpleQueue)
    results: list[Any] = field(default_factory=list)
    ahead: deque[Callable[[], Any]] = field(default_factory=deque)
    running: int = 0
    over: bool = False
    failures: list[tuple[int, BaseException]] = field(default_factory=list)

    def has_one(self) -> bool:
        """Whether there is exactly one job."""
        self._look_ahead(2)
        return len(self.ahead) == 1

    @property
    def exhausted(self) -> bool:
        """Whether no more jobs are to begin."""
        if not self.failures:
            self._look_ahead(1)
        return bool(self.failures) or not self.ahead

    def pull(self) -> _Task:
        """The next job."""
        self._look_ahead(1)
        self.results.append(None)
        return _Task(self, len(self.results) - 1, self.ahead.popleft())

    def _look_ahead(self, count: int) -> None:
        while len(self.ahead) < count:
            try:
                job = next(self.source, None)
            except BaseException as error:
                self.source = iter(())
                job = partial(_raise, error)  # in its turn: the jobs before it may still fail by themselves
            if job is None:
                return
            self.ahead.append(job)

    def do(self, task: _Task) -> None:
        """Runs a job of this run."""
        try:
            self.results[task.place] = task.job()
        except BaseException as error:
            self.fail(task.place, error)

    def fail(self, place: int, error: BaseException) -> None:
        """No more jobs begin."""
        self.failures.append((place, error))

    def conclude(self) -> None:
        """Lets the caller go on once nothing runs and nothing more is to begin."""
        if not self.over and not self.running and self.exhausted:
            self.over = True
            self.ended.put(None)

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
