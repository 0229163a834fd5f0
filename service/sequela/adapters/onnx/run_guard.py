"""Keeps a model's runs within bounds of time and memory: a few bytes can ask for any amount of either."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

import onnxruntime

from sequela.concurrency.deadline import DeadlinePassed

GROW_AS_ASKED = 1


class ModelCall:
    """One call under watch. `options` is what onnxruntime is given; `stopped` says that it came to `end`."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.options: Any = onnxruntime.RunOptions()
        self.stopped = False


class Watchdog:
    """Stops calls that take longer than `seconds`, or that go on past a time of their own.

    onnxruntime looks at the stop between the nodes of a graph and never within one, so a call outlasts its time
    by as much as a node takes. One thread sleeps until the earliest end of all calls; it is woken only for one
    that ends earlier still, so for most calls watching is an entry in a set.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._runs: set[ModelCall] = set()
        self._alarm = math.inf
        self._earlier: SimpleQueue[float] = SimpleQueue()
        threading.Thread(target=self._watch, name="watch-models", daemon=True).start()

    @contextmanager
    def run(self, until: float = math.inf) -> Iterator[ModelCall]:
        """Watches a call for as long as the context lasts; it ends at `until` on the monotonic clock if not before.

        Raises TimeUp where that has passed already.
        """
        now = time.monotonic()
        if now >= until:
            raise DeadlinePassed
        run = ModelCall(min(until, now + self.seconds))
        self._runs.add(run)
        if run.end < self._alarm:
            self._alarm = run.end
            self._earlier.put(run.end)
        try:
            yield run
        finally:
            self._runs.discard(run)

    def _watch(self) -> None:
        alarm = math.inf
        while True:
            try:
                alarm = min(alarm, self._earlier.get(timeout=_seconds_to(alarm)))
            except Empty:
                alarm = self._stop_late()

    def _stop_late(self) -> float:
        """Stops the calls that have come to their end. The earliest end of the others."""
        # There is no lock, so the order counts: a call that this look misses finds no alarm set, and sends one.
        self._alarm = math.inf
        runs, now = self._runs.copy(), time.monotonic()
        for run in runs:
            if run.end <= now:
                run.stopped = True
                run.options.terminate = True
        self._alarm = min((run.end for run in runs if not run.stopped), default=math.inf)
        return self._alarm


def _seconds_to(alarm: float) -> float | None:
    if math.isinf(alarm):
        return None
    return min(max(alarm - time.monotonic(), 0.0), threading.TIMEOUT_MAX)


@functools.cache
def watchdog(seconds: float) -> Watchdog:
    """The process's watchdog for this limit."""
    return Watchdog(seconds)


@functools.lru_cache(maxsize=1)
def limit_memory(most_bytes: int) -> None:
    """All sessions opened from now on, until another limit is set, hold at most so many bytes together."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    arena = onnxruntime.OrtArenaCfg({"max_mem": most_bytes, "arena_extend_strategy": GROW_AS_ASKED})
    onnxruntime.create_and_register_allocator(memory, arena)
