"""Calls the model for one request. Deadline, cancellation, batch sizes and cost of a request are handled here."""

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
from sequela.explain.explanation import Cost
from sequela.explain.ports import Observer
from sequela.explain.telemetry import BatchEvaluated

T = TypeVar("T")

WORK_PER_SECOND = 2e10
"""Multiply-adds per second that a core reaches at least on a batch in its cache. Batches are sized by it."""
MAX_BATCH_SECONDS = 0.005
"""Seconds that a batch may take at that speed. Deadlines are noticed, and other requests get their turn, this often."""
MAX_BATCH_SHARE = 0.1
"""Share of the time left that a batch may take at that speed."""
MAX_JOB_WORK = 4 * MAX_BATCH_SECONDS * WORK_PER_SECOND
"""Multiply-adds of the batches that one job of the worker pool may run."""
CACHE_BYTES = 2 << 20
"""Bytes that the inputs of a batch and the values of one layer over all events may fill: about a core's own cache."""
MAX_BATCH_ROWS = 1024
MAX_SINGLE_THREAD_WORK = 4e7
"""Multiply-adds that one thread finishes before it could wake other threads and wait for them."""
MIN_MEASURED_ROWS = 32
"""Batches of at least this many rows show how long an event takes. Smaller ones use a core badly."""
MIN_MEASUREMENTS = 2
"""Such batches that are needed before their time is trusted: a single one may have been held up."""
MIN_ESTIMATED_ROWS = 1 << 16
"""From this many rows on, an estimate uses the fastest call so far, however few rows it had."""
MIN_ROW_SECONDS = 2e-6
"""Seconds that a row takes at least, however small the model: it is drawn, sorted, and solved for."""


def even_slices(start: int, stop: int, most: int) -> Iterator[slice]:
    """Slices of at most `most` rows, as even as possible: a single row left over could run on another code path."""
    count = -(-(stop - start) // most)
    edges = [start + (stop - start) * number // count for number in range(count + 1)] if count else []
    yield from (slice(*edge) for edge in pairwise(edges))


def _run_all(jobs: Iterable[Callable[[], T]]) -> list[T]:
    return [job() for job in jobs]


class ModelCaller:
    """Calls the model for one request and adds up what it costs. Used by all threads that work on the request.

    Args:
        deadline: The request's.
        pool: The workers that all requests share.
        observer: Is told of every call.
    """

    def __init__(self, deadline: Deadline, pool: WorkerPool, observer: Observer) -> None:
        self.deadline = deadline
        self._pool, self._observer = pool, observer
        self._lock = threading.Lock()
        self._rows = self._calls = self._events = 0
        self._sent_rows = self._sent_calls = 0
        # Seconds per row and event: of batches that are large enough to measure, and of any call.
        self._event_seconds = self._fastest = math.inf
        self._measurements = 0

    def cost(self) -> Cost:
        """What the request has cost so far."""
        return Cost(
            self._rows,
            self._calls,
            self._events,
            endpoint_rows=self._sent_rows,
            endpoint_calls=self._sent_calls,
        )

    def count_sent(self, rows: int) -> None:
        """Counts a call to an endpoint with so many rows; calls that fail count too."""
        with self._lock:
            self._sent_rows += rows
            self._sent_calls += 1

    def count_answer(self, rows: int, events: int, seconds: float) -> None:
        """Counts a call that scored rows of so many events each, and took so long."""
        self._observer.notice(BatchEvaluated(rows, seconds))
        with self._lock:
            self._rows += rows
            self._calls += 1
            self._events += rows * events
            self._fastest = min(self._fastest, seconds / (rows * events))

    def run(self, rows: int, events: int, until: float, call: Callable[[float], T]) -> T:
        """Runs a batch of the model in this process. Arguments as of `send`.

        A batch is not begun if it would not end in time even at the speed of the fastest batch so far.

        Raises:
            DeadlinePassed: `until` or the deadline has passed, or would.
            Cancelled: The caller is gone.
        """
        end = min(until, self.deadline.end)
        # A batch that cannot end in time would cost its whole run for nothing.
        known = self._measurements >= MIN_MEASUREMENTS
        self.deadline.check(end - self._event_seconds * rows * events if known else end)
        answer, seconds = self._timed(rows, events, end, call)
        if rows >= MIN_MEASURED_ROWS:
            with self._lock:
                self._measurements += 1
                self._event_seconds = min(self._event_seconds, seconds / (rows * events))
        return answer

    def _timed(self, rows: int, events: int, end: float, call: Callable[[float], T]) -> tuple[T, float]:
        """The answer, and the seconds that it took."""
        start = self.deadline.now()
        answer = call(end)
        seconds = self.deadline.now() - start
        # Only calls that gave an answer are counted; those that raise are not.
        self.count_answer(rows, events, seconds)
        return answer, seconds

    def run_jobs(self, jobs: Iterable[Callable[[], T]], work: float = math.inf) -> Iterable[T]:
        """Runs jobs on the workers, in turn with other requests. Results are in the order of the jobs.

        Args:
            jobs: They must not call `run_jobs` themselves.
            work: Multiply-adds of all jobs together. Little work runs as a single job.
        """
        if work > MAX_SINGLE_THREAD_WORK:
            return self._pool.run(jobs)
        # Waking other threads would take longer than the work itself.
        (results,) = self._pool.run([partial(_run_all, jobs)])
        return results

    def beside(self, job: Callable[[], None]) -> AbstractContextManager[None]:
        """Runs a job in another thread while the context lasts. It has ended when the context ends."""
        return self._pool.aside(job)

    def expected_seconds(self, rows: int, events: int, work: int) -> float:
        """The estimated seconds that rows take on one worker.

        Args:
            rows: Their number.
            events: The events of a row.
            work: The multiply-adds of a row.
        """
        # Calls of few rows are slow, and differ from time to time, so they do not decide about few rows.
        measured = self._calls > 0 and (rows > MIN_ESTIMATED_ROWS or self._measurements >= MIN_MEASUREMENTS)
        return rows * max(
            work / WORK_PER_SECOND, MIN_ROW_SECONDS, self._fastest * events if measured else 0.0
        )

    def batch_rows(self, work: int, events: int, cells: int, until: float) -> int:
        """The rows of a batch, a power of two.

        The size follows from the model's shape alone, because the last bits of a model's outputs depend on the size
        of the batch. Only if little time is left are batches smaller. A layer is taken to be as wide as the square
        root of its weights.

        Args:
            work: The multiply-adds of a row.
            events: The events of a row.
            cells: The values of a row.
            until: When the batches must have ended, in seconds on the monotonic clock.
        """
        # With little time left a batch is a tenth of it, so that the deadline is noticed in time.
        left = min(until, self.deadline.end) - self.deadline.now()
        seconds = min(MAX_BATCH_SECONDS, MAX_BATCH_SHARE * max(left, 0.0))
        row_bytes = 4 * (cells + math.sqrt(work * events))
        rows = min(seconds * WORK_PER_SECOND / max(work, 1), CACHE_BYTES / row_bytes, MAX_BATCH_ROWS)
        return 1 << max(int(math.log2(max(rows, 1))), 1)
