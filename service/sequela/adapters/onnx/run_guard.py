"""Limits the time of a model's runs: a file of a few bytes can ask for any amount of it."""

from __future__ import annotations

import functools
import math
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

import onnxruntime

from sequela.concurrency.deadline import DeadlinePassed


class ModelCall:
    """One call of a model with a time limit. As a context, it is watched for as long as the context lasts.

    Attributes:
        end: When the call must end, on the monotonic clock.
        options: The run options that are passed to onnxruntime; setting `terminate` on them stops the call.
        stopped: Whether it was stopped at its end.
    """

    __slots__ = ("_watched", "end", "options", "stopped")

    def __init__(self, end: float, watched: set[ModelCall]) -> None:
        self.end = end
        self.options: Any = onnxruntime.RunOptions()
        self.stopped = False
        self._watched = watched
        watched.add(self)

    def __enter__(self) -> ModelCall:
        return self

    def __exit__(self, *_: object) -> None:
        self._watched.discard(self)


class Watchdog:
    """Stops calls that take longer than `seconds`, or that run past a deadline of their own.

    onnxruntime checks for the stop between the nodes of a graph, never within one, so a call outlasts its limit by as
    much as a node takes. One thread sleeps until the earliest end of all calls. It is woken only for a call that ends
    earlier still, so watching most calls costs an entry in a set.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._calls: set[ModelCall] = set()
        self._wake_at = math.inf
        self._earlier_ends: SimpleQueue[float] = SimpleQueue()
        threading.Thread(target=self._watch, name="watch-models", daemon=True).start()

    def watch(self, until: float = math.inf) -> ModelCall:
        """Watches a call until the context that it returns ends.

        Args:
            until: A deadline on the monotonic clock, if it is earlier than the limit of one call.

        Raises:
            DeadlinePassed: The deadline has passed already.
        """
        now = time.monotonic()
        if now >= until:
            raise DeadlinePassed
        call = ModelCall(min(until, now + self.seconds), self._calls)
        if call.end < self._wake_at:
            self._wake_at = call.end
            self._earlier_ends.put(call.end)
        return call

    def _watch(self) -> None:
        wake_at = math.inf
        while True:
            try:
                wake_at = min(wake_at, self._earlier_ends.get(timeout=_seconds_until(wake_at)))
            except Empty:
                wake_at = self._stop_late_calls()

    def _stop_late_calls(self) -> float:
        """Stops the calls that have reached their end, and returns the earliest end of the others."""
        # There is no lock, so the order counts: a call that is added after the copy finds no time to wake at, and
        # therefore sends its own.
        self._wake_at = math.inf
        calls, now = self._calls.copy(), time.monotonic()
        for call in calls:
            if call.end <= now:
                call.stopped = True
                call.options.terminate = True
        self._wake_at = min((call.end for call in calls if not call.stopped), default=math.inf)
        return self._wake_at


def _seconds_until(wake_at: float) -> float | None:
    if math.isinf(wake_at):
        return None
    return min(max(wake_at - time.monotonic(), 0.0), threading.TIMEOUT_MAX)


@functools.cache
def watchdog(seconds: float) -> Watchdog:
    """Returns the watchdog of the process for this limit, so that all sessions share its thread."""
    return Watchdog(seconds)
