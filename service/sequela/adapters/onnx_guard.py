"""Keeps a model's runs within bounds of time and memory: a few bytes can ask for any amount of either."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnxruntime

GROW_AS_ASKED = 1
TICK_SECONDS = 0.25


class Run:
    """One call under watch. `options` is what onnxruntime is given; `stopped` says that it took too long."""

    def __init__(self, end: float) -> None:
        self.end = end
        self.options: Any = onnxruntime.RunOptions()
        self.stopped = False


class Watchdog:
    """Stops calls that take longer than `seconds`. One thread of its own watches all of them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._changed = threading.Condition()
        self._runs: set[Run] = set()
        threading.Thread(target=self._watch, name="watch-models", daemon=True).start()

    @contextmanager
    def run(self) -> Iterator[Run]:
        """Watches a call for as long as the context lasts."""
        run = Run(time.monotonic() + self.seconds)
        with self._changed:
            if not self._runs:
                self._changed.notify()
            self._runs.add(run)
        try:
            yield run
        finally:
            with self._changed:
                self._runs.discard(run)

    def _watch(self) -> None:
        with self._changed:
            while True:
                # Waits without a limit while nothing runs, and else lets go of the lock for a tick.
                self._changed.wait(TICK_SECONDS if self._runs else None)
                now = time.monotonic()
                for run in self._runs:
                    if now >= run.end:
                        run.stopped = True
                        run.options.terminate = True


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
