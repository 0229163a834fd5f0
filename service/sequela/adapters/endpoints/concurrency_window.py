"""Estimates how long calls to an endpoint take, and how many concurrent calls keep it busy without queuing there."""

from __future__ import annotations

import math
import threading

DECAY = 0.95
"""The weight of earlier calls is multiplied by this at each call."""
MIN_QUEUED_CALLS = 1.0
"""With fewer calls queued at the endpoint than this, it may run out of work, and the window grows."""
MAX_QUEUED_CALLS = 3.0
"""With more calls queued at the endpoint than this, the window shrinks."""
RELEARN_SECONDS = 30.0
"""After this time, in seconds, the shortest times are measured again with half of the concurrent calls. Otherwise the
queuing that these calls cause would eventually be counted as part of the time of a call.
"""


class CallTimes:
    """Estimates the time of a call as a straight line over its rows, fitted to recent calls. Safe to call from several
    threads at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = self._rows = self._squares = self._seconds = self._products = 0.0

    def add(self, rows: int, seconds: float) -> None:
        """Records a call that was answered."""
        with self._lock:
            # Sums with exponential weights, from which the least-squares line follows.
            self._calls = DECAY * self._calls + 1
            self._rows = DECAY * self._rows + rows
            self._squares = DECAY * self._squares + rows * rows
            self._seconds = DECAY * self._seconds + seconds
            self._products = DECAY * self._products + rows * seconds

    def seconds(self, rows: int) -> float:
        """Estimates the time of a call with `rows` rows in seconds; 0 before the first call.

        If all calls had the same size, the slope is unknown and taken as 0.
        """
        with self._lock:
            if not self._calls:
                return 0.0
            mean_rows, mean_seconds = self._rows / self._calls, self._seconds / self._calls
            variance = self._squares / self._calls - mean_rows**2
            covariance = self._products / self._calls - mean_rows * mean_seconds
        # One more row never makes a call shorter, and adds at most its share of a call.
        # Rounding leaves a tiny variance if all calls had the same size.
        slope = covariance / variance if variance > 1e-9 * mean_rows**2 else 0.0
        slope = min(max(slope, 0.0), mean_seconds / mean_rows)
        return mean_seconds + slope * (rows - mean_rows)


class ConcurrencyWindow:
    """The number of calls that may be in flight, from 1 to a maximum.

    It works like TCP Vegas: the longer a call takes compared to the fastest one of similar size, the more calls are
    queued at the endpoint. The window doubles until there are signs of queuing, then grows or shrinks by one. It
    changes once per window of calls, and halves after a failure. Not thread-safe.
    """

    def __init__(self, max_calls: int) -> None:
        self.size = min(2, max_calls)
        self._max_calls = max_calls
        self._doubling = True
        self._calls = 0
        self._queued = 0.0
        self._shortest: dict[int, float] = {}  # seconds, by the bit length of the number of rows
        self._learned_at = -math.inf

    def record_answer(self, rows: int, seconds: float, now: float) -> None:
        """Records a call that was answered at `now`, in seconds on the monotonic clock."""
        if now > self._learned_at + RELEARN_SECONDS:
            self._learned_at = now
            self._shortest.clear()
            self._restart(self.size // 2, self._doubling)
        # Calls are compared with calls of up to twice their size.
        size_class = rows.bit_length()
        shortest = self._shortest[size_class] = min(self._shortest.get(size_class, seconds), seconds)
        # As in TCP Vegas (Brakmo and Peterson, 1995), time beyond the shortest is time spent in a queue.
        self._queued += 1 - shortest / max(seconds, 1e-9)
        self._calls += 1
        # Decide once per window, because the times of single calls vary a lot.
        if self._calls >= self.size:
            self._decide(self._queued / self._calls * self.size)

    def record_failure(self) -> None:
        """Records a call that failed."""
        self._restart(self.size // 2, doubling=False)

    def set_max_calls(self, max_calls: int) -> None:
        """Changes the maximum."""
        self._max_calls = max_calls
        self.size = min(self.size, max_calls)

    def _decide(self, queued: float) -> None:
        if queued < MIN_QUEUED_CALLS:
            self._restart(self.size * 2 if self._doubling else self.size + 1, self._doubling)
        else:
            self._restart(self.size - 1 if queued > MAX_QUEUED_CALLS else self.size, doubling=False)

    def _restart(self, size: int, doubling: bool) -> None:
        """Begins a new round of measurements with this window."""
        self.size = min(max(size, 1), self._max_calls)
        self._doubling, self._calls, self._queued = doubling, 0, 0.0
