"""What calls to an endpoint take, and how many at a time keep it busy without piling up before it."""

from __future__ import annotations

import math
import threading

FORGET = 0.95
"""Weight that what was known keeps at each call."""
SLACK = 1.0
"""Calls that may wait before the endpoint: with fewer it might run dry, so one more is let go."""
CROWD = 3.0
"""Calls that wait before it from which on one less is let go."""
GOOD_FOR = 30.0
"""Seconds after which the least times are learned anew, with half the calls at a time: else the waiting that we cause
would pass for what calls take.
"""


class CallTimes:
    """Seconds of a call as a line over its rows, fitted to the calls of late. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = self._rows = self._squares = self._seconds = self._products = 0.0

    def add(self, rows: int, seconds: float) -> None:
        """A call that worked."""
        with self._lock:
            self._calls = FORGET * self._calls + 1
            self._rows = FORGET * self._rows + rows
            self._squares = FORGET * self._squares + rows * rows
            self._seconds = FORGET * self._seconds + seconds
            self._products = FORGET * self._products + rows * seconds

    def seconds(self, rows: int) -> float:
        """What a call of so many rows should take; 0 before any. Calls of one size tell no slope: it is taken as 0."""
        with self._lock:
            if not self._calls:
                return 0.0
            mean_rows, mean_seconds = self._rows / self._calls, self._seconds / self._calls
            spread = self._squares / self._calls - mean_rows**2
            together = self._products / self._calls - mean_rows * mean_seconds
        # A row more makes no call shorter, and no row takes more than its share of a call.
        slope = together / spread if spread > 1e-9 * mean_rows**2 else 0.0
        slope = min(max(slope, 0.0), mean_seconds / mean_rows)
        return mean_seconds + slope * (rows - mean_rows)


class ConcurrencyWindow:
    """How many calls are let go at a time, from 1 to `most`: as TCP Vegas finds it, by how much longer calls take
    than the quickest of their size, which is about the share of them that waits before the endpoint.

    Doubles until the first sign of waiting. Decides once for each window's worth of calls, and halves after a failure.
    Not safe to call from several threads at once.
    """

    def __init__(self, most: int) -> None:
        self.size = min(2, most)
        self._most = most
        self._doubling = True
        self._since = 0
        self._waiting = 0.0
        self._least: dict[int, float] = {}
        self._learned = -math.inf

    def worked(self, rows: int, seconds: float, now: float) -> None:
        """A call that worked. now: on the monotonic clock."""
        if now > self._learned + GOOD_FOR:
            self._learned = now
            self._least.clear()
            self._start(self.size // 2, self._doubling)
        kind = rows.bit_length()
        least = self._least[kind] = min(self._least.get(kind, seconds), seconds)
        self._waiting += 1 - least / max(seconds, 1e-9)
        self._since += 1
        if self._since >= self.size:
            self._decide(self._waiting / self._since * self.size)

    def failed(self) -> None:
        """A call that did not."""
        self._start(self.size // 2, doubling=False)

    def limit(self, most: int) -> None:
        """Another `most`."""
        self._most = most
        self.size = min(self.size, most)

    def _decide(self, waiting: float) -> None:
        if waiting < SLACK:
            self._start(self.size * 2 if self._doubling else self.size + 1, self._doubling)
        else:
            self._start(self.size - 1 if waiting > CROWD else self.size, doubling=False)

    def _start(self, size: int, doubling: bool) -> None:
        self.size = min(max(size, 1), self._most)
        self._doubling, self._since, self._waiting = doubling, 0, 0.0
