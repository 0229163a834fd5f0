"""Writes files one after another, in a separate thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Queue
from typing import TypeAlias

Job: TypeAlias = Callable[[], None]

MAX_PENDING_JOBS = 16
"""The largest number of waiting jobs. With more, `submit` waits, so that a slow disk does not fill the memory. An
explanation of three levels has about this many jobs.
"""


class Writer:
    """Runs jobs in the order in which they were submitted. Safe for several threads. Jobs must not raise."""

    def __init__(self) -> None:
        self._jobs: Queue[Job | None] = Queue(MAX_PENDING_JOBS)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trace-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Adds a job. Waits while too many are pending. After `close` it is dropped."""
        # A request can outlive the server's drain. Its jobs would wait forever then.
        if not self._closed.is_set():
            self._jobs.put(job)

    def close(self) -> None:
        """Waits until all jobs are done, and ends the thread."""
        self._closed.set()
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # it holds arrays
