"""Workers for requests whose model runs in another process, one batch at a time: jobs run in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

from sequela.concurrency.worker_pool import WorkerPool

T = TypeVar("T")


class SerialWorkers:
    """Runs the jobs of a request one after another. Takes the place of a `WorkerPool`.

    Args:
        requests: The largest number of requests at a time.
    """

    def __init__(self, requests: int) -> None:
        self._beside = WorkerPool(requests, name="beside-uploads")

    def run(self, jobs: Iterable[Callable[[], T]]) -> list[T]:
        """Runs jobs in the caller's thread, and returns their results in order. Raises what a job raises."""
        return [job() for job in jobs]

    def run_one(self, job: Callable[[], T]) -> T:
        """Runs a job in the caller's thread, and returns its result."""
        return job()

    def aside(self, job: Callable[[], None]) -> AbstractContextManager[None]:
        """Runs a job, which must not run a model, in another thread. As in `WorkerPool.aside`."""
        return self._beside.aside(job)

    def close(self) -> None:
        """Ends the threads after their current jobs."""
        self._beside.close()
