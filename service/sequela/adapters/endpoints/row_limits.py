"""How many rows may leave for an endpoint: so many a second, and so many under way."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sequela.concurrency.deadline import Deadline, DeadlinePassed

BURST = 1.0
"""Seconds' worth of rows that may leave at once after a quiet time."""
LOOK = 0.05
"""Seconds between looks at the clock of who waits for a place."""


class RowRate:
    """Lets rows go at a rate, in the order in which they are asked for (GCRA: each row has its time)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, rows: int, rate: float | None, deadline: Deadline, until: float) -> None:
        """Waits for the time of so many rows. Raises TimeUp at once where that is past `until`, and Cancelled; these
        rows' time is then free again.
        """
        if rate is None:
            return
        pause = self._reserve(rows / rate, deadline.now(), min(until, deadline.end))
        try:
            deadline.pause(pause)
            deadline.check(until)
        except BaseException:
            with self._lock:
                self._next -= rows / rate
            raise

    def _reserve(self, seconds: float, now: float, until: float) -> float:
        with self._lock:
            start = max(self._next, now - BURST)
            # The whole of it must fit into what may leave by then, so that a large call waits for its own rows.
            ready = start + seconds
            if ready > until:
                raise DeadlinePassed
            self._next = ready
            return max(ready - now, 0.0)


class RowsInFlight:
    """Counts the rows under way. Who asks first goes first: small calls do not pass a large one for ever."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[object] = deque()
        self._rows = 0

    @contextmanager
    def held(self, rows: int, most: int, deadline: Deadline, until: float) -> Iterator[None]:
        """Waits until `most` has room for so many rows more, and holds it. More rows than `most` go alone. Raises
        TimeUp and Cancelled.
        """
        with self._changed:
            self._wait(rows, most, deadline, until)
            self._rows += rows
        try:
            yield
        finally:
            with self._changed:
                self._rows -= rows
                self._changed.notify_all()

    def _wait(self, rows: int, most: int, deadline: Deadline, until: float) -> None:
        ticket = object()
        self._line.append(ticket)
        try:
            while self._line[0] is not ticket or (self._rows and self._rows + rows > most):
                deadline.check(until)
                self._changed.wait(LOOK)
        finally:
            self._line.remove(ticket)
            self._changed.notify_all()
