"""Makes answers rougher before requests are refused, depending on how long requests wait.

The signal is the least wait within an interval, as in CoDel, which manages queues of packets: a short burst makes
requests wait too, but some of them do not. Only if all of them wait does the server have more work than it can do. A
server that refuses some is overloaded too, however short the others wait. But if it has nothing to do in between, it
only refuses some of each burst because its queue is short, so it must step back, or it would do so for ever.
"""

from __future__ import annotations

import math

from sequela.api.admission.priority import Priority

INTERVAL_SECONDS = 0.1
THRESHOLD_SECONDS = 0.02
SERVICE_INTERVALS = 2.0
"""An interval is at least this many times what a request takes on average. Shorter ones may see no request begin."""
SERVICE_SHARE = 0.5
"""The threshold is at least this share of what a request takes on average."""
PATIENCE = (math.inf, math.inf, math.inf, 12.0, 6.0, 1.5)
"""How many thresholds an interactive request may wait, at each level. If it would wait for longer, it is refused.

At the last level, a longer queue would only make answers later: a few waiting requests keep the cores busy already.
"""
REFUSING = 5
BULK_FACTORS = (1.0, 2.0, 4.0, 4.0, 4.0, 4.0)
"""By how much the default target of the standard errors is multiplied, at each level."""
INTERACTIVE_FACTORS = (1.0, 1.0, 1.0, 2.0, 4.0, 4.0)
BULK_ALONE = 2
"""The highest level that bulk work alone can cause. Higher levels need interactive requests that wait."""
IDLE_SHARE = 0.5
"""A server that was free for more of an interval is not overloaded, also if it refused requests."""
BULK_FILL = 0.75
"""Bulk work is meant to wait, so it counts as overload only if its queue is this full."""


class Brownout:
    """Goes down one level at the end of an interval, or up, by more levels the longer requests wait.

    Must be used from a single thread.

    Args:
        now: The time, in seconds of the monotonic clock.
    """

    def __init__(self, now: float) -> None:
        self._level = 0
        self._end = now + INTERVAL_SECONDS
        self._least = math.inf
        self._bulk_full = False
        self._refused = False
        self._idle_seconds = 0.0

    @property
    def level(self) -> int:
        """From 0, at which answers are as usual, to `REFUSING`."""
        return self._level

    def factor(self, priority: Priority) -> float:
        """Returns by how much the default target of the standard errors is multiplied."""
        factors = INTERACTIVE_FACTORS if priority is Priority.INTERACTIVE else BULK_FACTORS
        return factors[self._level]

    def level_when_idle(self, now: float, service_seconds: float) -> int:
        """Returns the level at a later time, if no request has come since. Other threads may call it."""
        steps = math.ceil((now - self._end) / _interval_seconds(service_seconds))
        return max(0, self._level - max(0, steps))

    @property
    def patience(self) -> float:
        """How many thresholds an interactive request may wait."""
        return PATIENCE[self._level]

    def note_wait(self, seconds: float) -> None:
        """Counts an interactive request that begins after it has waited for so long."""
        self._least = min(self._least, seconds)

    def note_refusal(self) -> None:
        """Counts an interactive request that is refused because of `patience`."""
        self._refused = True

    def note_idle(self, seconds: float) -> None:
        """Counts time in which another request could have begun at once. It may begin before the interval."""
        self._idle_seconds += seconds

    def advance(
        self, now: float, oldest_wait: float | None, bulk_fill: float, service_seconds: float
    ) -> None:
        """Ends the interval if it is over.

        Args:
            now: The time.
            oldest_wait: How long an interactive request has waited by now; None if none waits.
            bulk_fill: How full the queue of bulk work is, from 0 to 1.
            service_seconds: How long a request takes on average.
        """
        self._bulk_full |= bulk_fill >= BULK_FILL
        if now < self._end:
            return
        interval = _interval_seconds(service_seconds)
        # Intervals that ended without a call of `advance` had no request.
        missed = int((now - self._end) / interval)
        oldest = oldest_wait or 0.0
        # If no request has begun, the wait of the oldest waiting one counts.
        least = oldest if math.isinf(self._least) else self._least
        # Refusals keep the level only while the server is busy.
        self._refused &= self._idle_seconds < IDLE_SHARE * interval
        self._change(least, max(least, oldest), threshold_seconds(service_seconds))
        if not oldest_wait:
            self._level = max(0, self._level - missed)
        self._end, self._least, self._idle_seconds = now + interval, math.inf, 0.0
        self._bulk_full = self._refused = False

    def _change(self, least: float, longest: float, threshold: float) -> None:
        if least > threshold:
            # Answers are as rough as they get for an interval before the last level, however long requests wait.
            most = max(self._level + 1, REFUSING - 1)
            self._level = min(self._level + _steps(longest / threshold), most, REFUSING)
        elif self._bulk_full and self._level < BULK_ALONE:
            self._level += 1
        elif least <= threshold / 2 and not self._refused and not self._held_by_bulk:
            self._level = max(self._level - 1, 0)

    @property
    def _held_by_bulk(self) -> bool:
        return self._bulk_full and self._level <= BULK_ALONE


def _steps(thresholds: float) -> int:
    """Returns how many levels to go up at once: two if a request waits for four thresholds, three for eight, etc."""
    return max(1, int(math.log2(thresholds)))


def _interval_seconds(service_seconds: float) -> float:
    return max(INTERVAL_SECONDS, SERVICE_INTERVALS * service_seconds)


def threshold_seconds(service_seconds: float) -> float:
    """Returns how long requests may wait before answers become rougher."""
    return max(THRESHOLD_SECONDS, SERVICE_SHARE * service_seconds)
