"""The memory of a process and its children during a run."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from benchmarks.processes import tree_mb

EVERY_SECONDS = 0.5


@dataclass(slots=True)
class MemoryWatch:
    """The memory of this process and of all processes below it in MB, read at intervals.

    It is the sum of their resident memory, so pages that processes share (libraries) count once for each.
    """

    readings: list[float] = field(default_factory=list)

    @property
    def quarters(self) -> tuple[float, float]:
        """The mean in the second and in the last quarter of the run, which are equal if memory is flat."""
        parts = np.array_split(np.array(self.readings), 4)
        return float(parts[1].mean()), float(parts[3].mean())


@contextmanager
def watched_memory() -> Iterator[MemoryWatch]:
    """Reads the memory while the block runs; at least four times, so that there are quarters."""
    watch, stop = MemoryWatch(), threading.Event()

    def read() -> None:
        while len(watch.readings) < 4 or not stop.is_set():
            watch.readings.append(tree_mb(os.getpid()))
            stop.wait(EVERY_SECONDS)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield watch
    finally:
        stop.set()
        reader.join()
