"""Worker pools that are closed after the test, and jobs that record how they run."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from sequela.concurrency.worker_pool import WorkerPool


@contextmanager
def pool_of(workers: int) -> Iterator[WorkerPool]:
    pool = WorkerPool(workers)
    try:
        yield pool
    finally:
        pool.close()


class Spy:
    """Jobs that record how many of them run at a time, and in which order they start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun: list[object] = []
        self.running = self.most = 0

    def job(self, name: object, work: Callable[[], object] = lambda: None) -> Callable[[], object]:
        def run() -> object:
            with self._lock:
                self.begun.append(name)
                self.running += 1
                self.most = max(self.most, self.running)
            try:
                work()
            finally:
                with self._lock:
                    self.running -= 1
            return name

        return run


def busy_for(seed: int) -> None:
    """Works for a given time, and releases the interpreter's lock now and then."""
    values = np.random.default_rng(seed).random(random.Random(seed).randrange(1, 20_000))
    np.sort(values)
