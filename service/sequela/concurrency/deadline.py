"""One request's time: its deadline, and whether its caller is still there."""

from __future__ import annotations

import math
import threading
import time

from sequela.errors import Cancelled

KEPT_BACK = 0.3
"""Of the time left, what may be kept back for others that conclude at the same time."""


class DeadlinePassed(Exception):
    """The share of time ran out between two batches or within one. Models raise it too; no request ends with it:
    levels conclude with what they have. Its cause is an error of an endpoint that took the time, if one did.
    """


class Deadline:
    """Deadline and cancellation, looked at between batches. Times are seconds of the monotonic clock.

    A small reserve before the deadline is kept for solving, encoding and sending the answer.
    """

    def __init__(self, timeout: float = math.inf, reserve: float = 0.0) -> None:
        self.start = time.monotonic()
        self.end = self.start + timeout - reserve
        self.hurried = False
        self._gone = threading.Event()

    @staticmethod
    def now() -> float:
        """The monotonic clock."""
        return time.monotonic()

    @property
    def remaining(self) -> float:
        """Seconds left; may be infinite or negative."""
        return self.end - self.now()

    def keep_back(self, seconds: float) -> None:
        """Brings the end forward by so much, or by a share of the time left where that is less."""
        self.end -= min(seconds, KEPT_BACK * max(self.remaining, 0.0)) if seconds else 0.0

    def hurry(self, until: float) -> None:
        """Brings the end forward to `until`, where it is later: the work concludes with what it has by then."""
        if until < self.end:
            self.hurried = True
            self.end = until

    def shorten(self, share: float) -> None:
        """Leaves this share of the time that is left."""
        self.end = min(self.end, self.now() + share * self.remaining)

    def beside(self) -> Deadline:
        """Another clock with the same end, for a part of the work that is cancelled by itself."""
        return Deadline(self.remaining)

    def cancel(self) -> None:
        """The caller is gone: the work stops at the next batch."""
        self._gone.set()

    def pause(self, seconds: float) -> None:
        """Waits so long, or until the caller is gone."""
        self._gone.wait(seconds)

    def check(self, until: float = math.inf) -> None:
        """Raises Cancelled when the caller is gone, TimeUp past `until` or the end."""
        if self._gone.is_set():
            raise Cancelled("CANCELLED", "the caller cancelled the request")
        if self.now() >= min(until, self.end):
            raise DeadlinePassed
