"""Limits the rows that are sent to an endpoint per second, and the rows in flight."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sequela.concurrency.deadline import Deadline, DeadlinePassed

BURST_SECONDS = 1.0
"""After a pause, as many rows may be sent at once as the rate allows in this many seconds."""
POLL_SECONDS = 0.05
"""How often a thread that waits for its rows to be sent checks its deadline."""


class RowRate:
    """Limits rows per second. Callers are served in order of arrival.

    This is the generic cell rate algorithm (GCRA), which keeps the time at which the next row may be sent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, rows: int, rows_per_second: float | None, deadline: Deadline, until: float) -> None:
        """Waits until `rows` rows may be sent. Without a rate, does not wait.

        Raises DeadlinePassed at once if that would be after `until`, and Cancelled. The reserved time is then free for
        others.
        """
        if rows_per_second is None:
            return
        seconds = rows / rows_per_second
        pause_seconds = self._reserve(seconds, deadline.now(), min(until, deadline.end))
        try:
            deadline.pause(pause_seconds)
            deadline.check(until)
        except BaseException:
            with self._lock:
                self._next -= seconds
            raise

    def _reserve(self, seconds: float, now: float, until: float) -> float:
        """Reserves `seconds` of the rate, and returns how many seconds to wait before the rows may be sent."""
        with self._lock:
            start = max(self._next, now - BURST_SECONDS)
            ready = start + seconds  # a large call waits until all of its rows may leave
            if ready > until:
                raise DeadlinePassed
            self._next = ready
            return max(ready - now, 0.0)


class RowsInFlight:
    """Limits the rows in flight. Callers are served in order of arrival, so that small calls cannot delay a large one
    forever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._rows = 0

    @contextmanager
    def hold(self, rows: int, max_rows: int, deadline: Deadline, until: float) -> Iterator[None]:
        """Waits until `rows` more rows fit under `max_rows`, and counts them until the context exits.

        A call with more rows than `max_rows` is sent alone. Raises DeadlinePassed and Cancelled.
        """
        with self._changed:
            self._wait(rows, max_rows, deadline, until)
            self._rows += rows
        try:
            yield
        finally:
            with self._changed:
                self._rows -= rows
                self._changed.notify_all()

    def _wait(self, rows: int, max_rows: int, deadline: Deadline, until: float) -> None:
        # The queue of tickets keeps the order of arrival.
        ticket = object()
        self._queue.append(ticket)
        try:
            while self._queue[0] is not ticket or (self._rows and self._rows + rows > max_rows):
                deadline.check(until)
                self._changed.wait(POLL_SECONDS)
        finally:
            self._queue.remove(ticket)
            self._changed.notify_all()
