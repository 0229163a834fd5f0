"""Calls the model for one request, and handles the request's deadline, cancellation, batch sizes and cost."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise
from typing import Protocol, TypeVar

from sequela.concurrency.deadline import Deadline
from sequela.explain.changed_model import changed_model_error
from sequela.explain.explanation import Cost
from sequela.explain.ports import Observer
from sequela.explain.telemetry import BatchEvaluated

T = TypeVar("T")

WORK_PER_SECOND = 2e10
"""Multiply-adds per second that any core reaches on a batch that fits in its cache. Batches are sized by it."""
MAX_BATCH_SECONDS = 0.005
"""Seconds that a batch may take at that speed. Deadlines are checked, and other requests get their turn, this often."""
MAX_BATCH_SHARE = 0.1
"""Share of the time left that a batch may take at that speed."""
MAX_JOB_WORK = 4 * MAX_BATCH_SECONDS * WORK_PER_SECOND
"""Largest number of multiply-adds of one job of the worker pool, over all of its batches."""
CACHE_BYTES = 2 << 20
"""Size limit of a batch's inputs plus the values of one layer over all events: about the private cache of a core."""
MAX_BATCH_ROWS = 1024
MAX_SINGLE_THREAD_WORK = 4e7
"""Multiply-adds that one thread completes in less time than it takes to wake other threads and wait for them."""
MIN_MEASURED_ROWS = 32
"""The time per event is measured on batches of at least this many rows. Smaller ones use a core inefficiently."""
MIN_MEASUREMENTS = 2
"""How many such batches are needed before their time is trusted, because a single one may have been delayed."""
MIN_ESTIMATED_ROWS = 1 << 16
"""Estimates for more rows than this use the fastest call so far, even if that call had few rows."""
MIN_ROW_SECONDS = 2e-6
"""Minimum time per row, even for a tiny model: the row is also drawn, sorted and solved for."""

MIN_WHOLE_ROWS = 8
"""So many rows must have whole numbers before an answer warns of them: a few probabilities may be rounded to 0 or 1."""


class Workers(Protocol):
    """Run the jobs of requests: a `WorkerPool` that all requests share, or `SerialWorkers`."""

    def run(self, jobs: Iterable[Callable[[], T]]) -> list[T]:
        """Runs jobs and returns their results in order. Raises what a job raises."""

    def run_one(self, job: Callable[[], T]) -> T:
        """Runs a single job and returns its result. Raises what it raises."""

    def aside(self, job: Callable[[], None]) -> AbstractContextManager[None]:
        """Runs a job alongside the body of the context, and waits for it on exit."""


def even_slices(start: int, stop: int, most: int) -> Iterator[slice]:
    """Yields slices of at most `most` rows, as even as possible."""
    # A single row left over could run on another code path of the runtime, and differ in its last bits.
    count = -(-(stop - start) // most)
    edges = [start + (stop - start) * number // count for number in range(count + 1)] if count else []
    yield from (slice(*edge) for edge in pairwise(edges))


def _run_all(jobs: Iterable[Callable[[], T]]) -> list[T]:
    return [job() for job in jobs]


class ModelCaller:
    """Calls the model for one request and adds up what it costs. Used by all threads that work on the request.

    Args:
        deadline: The request's deadline.
        workers: Run the batches.
        observer: Receives a record of every call.
    """

    def __init__(self, deadline: Deadline, workers: Workers, observer: Observer) -> None:
        self.deadline = deadline
        self._workers, self._observer = workers, observer
        self._lock = threading.Lock()
        self._rows = self._calls = self._events = 0
        self._sent_rows = self._sent_calls = 0
        self._whole_rows = 0  # rows whose outputs are whole numbers
        self._versions: dict[str, None] = {}  # in the order in which answers named them
        # Seconds per row and event: the lowest of batches large enough to measure, and the lowest of any call.
        self._event_seconds = self._fastest = math.inf
        self._measurements = 0

    def cost(self) -> Cost:
        """Returns the cost of the request so far."""
        return Cost(
            self._rows,
            self._calls,
            self._events,
            endpoint_rows=self._sent_rows,
            endpoint_calls=self._sent_calls,
        )

    def count_sent(self, rows: int) -> None:
        """Counts a call to an endpoint with `rows` rows, whether or not it succeeds."""
        with self._lock:
            self._sent_rows += rows
            self._sent_calls += 1

    def count_answer(self, rows: int, events: int, seconds: float) -> None:
        """Counts a call that scored `rows` rows of `events` events each in `seconds` seconds."""
        self._observer.notice(BatchEvaluated(rows, seconds))
        with self._lock:
            self._rows += rows
            self._calls += 1
            self._events += rows * events
            self._fastest = min(self._fastest, seconds / (rows * events))

    def count_whole_numbers(self, rows: int) -> None:
        """Counts rows of an endpoint's answer whose outputs are whole numbers."""
        with self._lock:
            self._whole_rows += rows

    @property
    def scores_are_whole_numbers(self) -> bool:
        """Whether an endpoint answered with whole numbers only, in enough rows to tell."""
        return self._whole_rows >= MIN_WHOLE_ROWS and self._whole_rows == self._rows

    def note_version(self, version: str) -> None:
        """Notes the version of the model that an endpoint's answer names; empty if it names none."""
        if version:
            with self._lock:
                self._versions[version] = None

    def check_versions(self) -> None:
        """Raises Unavailable (MODEL_CHANGED) if answers came from several versions of the model.

        Their outputs cannot be compared: differences between them would look like attributions.
        """
        if len(self._versions) > 1:
            named = " and ".join(map(repr, self._versions))
            raise changed_model_error(
                f"the endpoint answered with versions {named} of the model, so it was replaced"
            )

    def run(self, rows: int, events: int, until: float, call: Callable[[float], T]) -> T:
        """Runs a batch of the model in this process.

        The batch is not started if it could not end in time even at the speed of the fastest batch so far.

        Args:
            rows: The number of rows in the batch.
            events: The number of events in a row, including padding.
            until: When the batch must have ended, in seconds on the monotonic clock.
            call: Runs the batch. It gets the earlier of `until` and the end of the deadline.

        Raises:
            DeadlinePassed: `until` or the deadline has passed, or would pass during the batch.
            Cancelled: The caller cancelled the request.
        """
        end = min(until, self.deadline.end)
        # A batch that cannot end in time would cost its whole run for nothing.
        known = self._measurements >= MIN_MEASUREMENTS
        self.deadline.check(end - self._event_seconds * rows * events if known else end)
        start = self.deadline.now()
        answer = call(end)
        # Only calls that gave an answer are counted; those that raise are not.
        seconds = self.deadline.now() - start
        self.count_answer(rows, events, seconds)
        if rows >= MIN_MEASURED_ROWS:
            with self._lock:
                self._measurements += 1
                self._event_seconds = min(self._event_seconds, seconds / (rows * events))
        return answer

    def run_jobs(self, jobs: Iterable[Callable[[], T]], work: float = math.inf) -> Iterable[T]:
        """Runs jobs on the workers, taking turns with other requests. Results are in the order of the jobs.

        Args:
            jobs: The jobs. Jobs that one of them runs in turn run on the same worker.
            work: The multiply-adds of all jobs together. A small amount of work runs as a single job.
        """
        if work > MAX_SINGLE_THREAD_WORK:
            return self._workers.run(jobs)
        # Waking other threads would take longer than the work itself.
        return self._workers.run_one(partial(_run_all, jobs))

    def run_job(self, job: Callable[[], T]) -> T:
        """Runs a single job on a worker, taking turns with other requests."""
        return self._workers.run_one(job)

    def beside(self, job: Callable[[], None]) -> AbstractContextManager[None]:
        """Runs a job in another thread alongside the body of the context, and waits for it on exit."""
        return self._workers.aside(job)

    def expected_seconds(self, rows: int, events: int, work: int) -> float:
        """Estimates the time that rows take on one worker, in seconds.

        Args:
            rows: The number of rows.
            events: The number of events in a row.
            work: The multiply-adds of a row.
        """
        # The times of small calls vary a lot, so they are only used to estimate large numbers of rows.
        measured = self._calls > 0 and (rows > MIN_ESTIMATED_ROWS or self._measurements >= MIN_MEASUREMENTS)
        return rows * max(
            work / WORK_PER_SECOND, MIN_ROW_SECONDS, self._fastest * events if measured else 0.0
        )

    def batch_rows(self, work: int, events: int, cells: int, until: float) -> int:
        """Returns the number of rows in a batch, a power of two.

        The size depends only on the model's shape, because the last bits of a model's outputs depend on the size of
        the batch. Batches are smaller only if little time is left. The width of a layer is estimated as the square
        root of the number of its weights.

        Args:
            work: The multiply-adds of a row.
            events: The number of events in a row.
            cells: The number of input values in a row.
            until: When the batches must have ended, in seconds on the monotonic clock.
        """
        # With little time left a batch is a tenth of it, so that the deadline is noticed in time.
        left = min(until, self.deadline.end) - self.deadline.now()
        seconds = min(MAX_BATCH_SECONDS, MAX_BATCH_SHARE * max(left, 0.0))
        row_bytes = 4 * (cells + math.sqrt(work * events))
        rows = min(seconds * WORK_PER_SECOND / max(work, 1), CACHE_BYTES / row_bytes, MAX_BATCH_ROWS)
        # Never a single row, which could run on another code path of the runtime and differ in its last bits.
        return 1 << max(int(math.log2(max(rows, 1))), 1)
