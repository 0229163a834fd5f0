"""The deadline of a request, and its cancellation."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sequela.errors import Cancelled

MAX_RESERVED_SHARE = 0.3
"""The largest share of the time left that `keep_back` takes."""


class DeadlinePassed(Exception):
    """The time for a part of the work is over.

    A request does not fail because of it: the level answers from the coalitions it has already evaluated. Models
    raise it when a call is stopped. If an endpoint used up the time, `__cause__` is the endpoint's error.
    """


class Deadline:
    """The end of a request's time, and whether it was cancelled. The work checks both between batches.

    Args:
        timeout: Seconds from now to the caller's deadline.
        reserve: Seconds before that for sending the answer.
        conclusion: Further seconds before that for solving and encoding an explanation. Scores alone need none of it.

    Attributes:
        start: When the request was accepted, in seconds of the monotonic clock.
        end: When the work must end, on the same clock.
        levels_end: When the levels of an explanation must end, which is no later.
        hurried: Whether `hurry` moved the end.
        gave_way: Whether `give_way` moved the end.
    """

    def __init__(self, timeout: float = math.inf, reserve: float = 0.0, conclusion: float = 0.0) -> None:
        self.start = time.monotonic()
        self.end = self.start + timeout - reserve
        self.levels_end = self.end - conclusion
        self.hurried = self.gave_way = False
        # An event, so that `pause` ends at once when the request is cancelled.
        self._cancelled = threading.Event()
        self._followers: list[Callable[[], None]] = []
        self._moving = threading.Lock()

    @staticmethod
    def now() -> float:
        """Returns the time of the monotonic clock, in seconds."""
        return time.monotonic()

    @property
    def accepted(self) -> datetime:
        """When the request was accepted, in UTC."""
        return datetime.now(UTC) - timedelta(seconds=self.now() - self.start)

    @property
    def remaining(self) -> float:
        """The seconds left, which may be infinite or negative."""
        return self.end - self.now()

    @property
    def cancelled(self) -> bool:
        """Whether the request was cancelled."""
        return self._cancelled.is_set()

    def keep_back(self, seconds: float) -> None:
        """Brings the end forward by `seconds`, but by no more than a share of the time left.

        This leaves processor time to other requests that end at the same moment.
        """
        if seconds:
            kept = min(seconds, MAX_RESERVED_SHARE * max(self.remaining, 0.0))
            # Levels make room too, because what takes the time is to solve and encode them.
            self.bring_forward(self.end - kept, self.levels_end - kept)

    def hurry(self, until: float) -> None:
        """Brings the end forward to `until` if that is earlier. The work then ends with the results it has."""
        if until < self.end:
            self.hurried = True
            self.bring_forward(until)

    def give_way(self, until: float) -> None:
        """Brings the end forward to `until` if that is earlier, so that others who wait get an answer too."""
        if until < self.end:
            self.gave_way = True
            self.bring_forward(until)

    def shorten(self, share: float) -> None:
        """Brings the end forward so that only this share of the remaining time is left."""
        left = share * self.remaining if share else 0.0  # zero times infinity would not be a number
        self.bring_forward(self.now() + left)

    def end_levels(self) -> None:
        """Brings the end forward to that of the levels. From then on, the work is on levels."""
        self.bring_forward(self.levels_end)

    def bring_forward(self, end: float, levels_end: float = math.inf) -> None:
        """Brings the two ends forward to these if they are earlier. Several threads may do so at the same time."""
        with self._moving:
            self.end = min(self.end, end)
            self.levels_end = min(self.levels_end, levels_end, self.end)
        self._tell()

    def beside(self) -> Deadline:
        """Returns a deadline with the same end that can be cancelled separately, for one part of the work."""
        other = Deadline(self.remaining)
        other.start, other.levels_end = self.start, self.levels_end
        return other

    def cancel(self) -> None:
        """Cancels the request. The work stops before the next batch."""
        self._cancelled.set()
        self._tell()

    @contextmanager
    def followed(self, follower: Callable[[], None]) -> Iterator[None]:
        """Calls the function whenever the end moves or the request is cancelled, in the thread that does it."""
        self._followers.append(follower)
        try:
            yield
        finally:
            self._followers.remove(follower)

    def pause(self, seconds: float) -> None:
        """Waits for `seconds`, or until the request is cancelled."""
        self._cancelled.wait(seconds)

    def check(self, until: float = math.inf) -> None:
        """Raises Cancelled if the request was cancelled, and DeadlinePassed after `until` or the end."""
        if self.cancelled:
            raise Cancelled("CANCELLED", "the caller cancelled the request")
        if self.now() >= min(until, self.end):
            raise DeadlinePassed

    def _tell(self) -> None:
        for follower in tuple(self._followers):
            follower()
