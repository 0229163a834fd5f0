"""Asks the model: the only place that does. Deadlines, cancellation, batch sizes and costs live here."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from typing import TypeVar

from sequela.concurrency.deadline import Deadline
from sequela.concurrency.worker_pool import WorkerPool
from sequela.explain.ports import Observer
from sequela.explain.result.explanation import Cost
from sequela.explain.telemetry import BatchEvaluated

T = TypeVar("T")

SLOW = 2e10
"""Multiply-adds a second that a core reaches at least on a batch in its cache; batches are sized by it."""
LONGEST = 0.005
"""Seconds that a batch may take at that speed: others get their turn, and a deadline is noticed, that often."""
SHARE_OF_TIME = 0.1
"""Of the time left, likewise."""
TURN = 4 * LONGEST * SLOW
"""Multiply-adds of the batches that one turn at the workers may run."""
CACHE = 2 << 20
"""Bytes that a batch's inputs and one layer's values over all its events may fill: a core's own cache, about."""
MOST_ROWS = 1024
ALONE = 4e7
"""Multiply-adds that one thread runs in less time than it takes to wake others and to hear from them."""
TELLING = 32
"""Rows from which on a batch tells how long an event takes; fewer use a core badly."""
MANY_ROWS = 1 << 16
"""Rows that are worth a guess by whatever was seen."""
PLANNED = 2e-6
"""Seconds that a row takes at least, however small the model: it is drawn, ordered, and solved for."""
WITNESSES = 2
"""Batches that must have told it before it is trusted: one alone may have been held up."""


def cut(start: int, stop: int, most: int) -> Iterator[slice]:
    """Batches of at most so many rows, as even as can be: an odd row left over would be run in another way."""
    count = -(-(stop - start) // most)
    edges = [start + (stop - start) * number // count for number in range(count + 1)] if count else []
    yield from (slice(*edge) for edge in pairwise(edges))


def _one_by_one(jobs: Iterable[Callable[[], T]]) -> list[T]:
    return [job() for job in jobs]


class ModelCaller:
    """One request's way to its model, with its running cost. Used by all threads that work on the request."""

    def __init__(self, deadline: Deadline, pool: WorkerPool, observer: Observer) -> None:
        self.deadline = deadline
        self._pool, self._observer = pool, observer
        self._lock = threading.Lock()
        self._rows = self._calls = self._events = 0
        self._sent_rows = self._sent_calls = 0
        self._event_seconds = self._quickest = math.inf
        self._told = 0

    def cost(self) -> Cost:
        """What was asked so far."""
        return Cost(
            self._rows,
            self._calls,
            self._events,
            endpoint_rows=self._sent_rows,
            endpoint_calls=self._sent_calls,
        )

    def send(self, rows: int, sent: int, events: int, until: float, call: Callable[[float], T]) -> T:
        """Asks an endpoint about rows, for which `sent` rows leave; counted also where they leave in vain."""
        end = min(until, self.deadline.end)
        self.deadline.check(end)
        with self._lock:
            self._sent_rows += sent
            self._sent_calls += 1
        return self._answered(rows, events, end, call)[0]

    def run(self, rows: int, events: int, until: float, call: Callable[[float], T]) -> T:
        """Asks about a batch of rows of so many events each. `call` is told when it must have its answer.

        A batch that would not be done in time, were it as fast as the fastest so far, is not begun. Raises
        TimeUp past `until` or the clock's end, Cancelled when the caller is gone, and what the question raises.
        """
        end = min(until, self.deadline.end)
        known = self._told >= WITNESSES
        self.deadline.check(end - self._event_seconds * rows * events if known else end)
        answer, seconds = self._answered(rows, events, end, call)
        if rows >= TELLING:
            with self._lock:
                self._told += 1
                self._event_seconds = min(self._event_seconds, seconds / (rows * events))
        return answer

    def _answered(self, rows: int, events: int, end: float, call: Callable[[float], T]) -> tuple[T, float]:
        """The answer, counted, and the seconds that it took."""
        start = self.deadline.now()
        answer = call(end)
        seconds = self.deadline.now() - start
        self._observer.notice(BatchEvaluated(rows, seconds))
        with self._lock:
            self._rows += rows
            self._calls += 1
            self._events += rows * events
            self._quickest = min(self._quickest, seconds / (rows * events))
        return answer, seconds

    def run_jobs(self, jobs: Iterable[Callable[[], T]], work: float = math.inf) -> Iterable[T]:
        """Runs jobs on the server's workers, in turn with other requests'; the results in the jobs' order.

        work: multiply-adds of all together; where that is little they are one turn.
        """
        if work > ALONE:
            return self._pool.run(jobs)
        (results,) = self._pool.run([partial(_one_by_one, jobs)])
        return results

    def beside(self, job: Callable[[], None]) -> AbstractContextManager[None]:
        """Runs a job beside what the context does; it has ended when the context ends."""
        return self._pool.aside(job)

    def expected_seconds(self, rows: int, events: int, work: int) -> float:
        """Seconds that rows of so many events and so much work each may take one worker, as far as is known.

        Calls of few rows are slow, and differ from time to time: only where many rows are asked about are they heeded.
        """
        heeded = self._calls > 0 and (rows > MANY_ROWS or self._told >= WITNESSES)
        return rows * max(work / SLOW, PLANNED, self._quickest * events if heeded else 0.0)

    def batch_rows(self, work: int, events: int, cells: int, until: float) -> int:
        """Rows of a batch, a power of two: work (multiply-adds), events and cells are those of one row.

        A function of the shape alone, because the last bits of a model's outputs depend on the batch; only
        where the time left, as a stage is planned, is short are batches smaller. A layer is taken to be as wide
        as the square root of its weights.
        """
        left = min(until, self.deadline.end) - self.deadline.now()
        seconds = min(LONGEST, SHARE_OF_TIME * max(left, 0.0))
        size = 4 * (cells + math.sqrt(work * events))
        rows = min(seconds * SLOW / max(work, 1), CACHE / size, MOST_ROWS)
        return 1 << max(int(math.log2(max(rows, 1))), 1)
