"""Chooses the number of rows in each call."""

from __future__ import annotations

from collections.abc import Callable

SHARE_OF_TIME = 0.2
"""Share of the time left that one call may take, if it is as slow as recent ones."""
WORTHWHILE_SHARE = 0.8
"""A smaller call is only made if it takes at most this share of the time of a larger one."""
MIN_ROWS_TO_SPREAD = 32
"""Calls are not made smaller than this just to send more of them concurrently, because each has a cost here too."""


def choose_call_rows(
    rows: int, max_rows: int, concurrency: int, call_seconds: Callable[[int], float], seconds_left: float
) -> int:
    """Chooses the size of calls for which all rows are answered soonest. Of equally fast sizes, the largest is chosen.

    Calls that would take a large share of the time left are made smaller if that makes them shorter.

    Args:
        rows: Rows to send.
        max_rows: Rows that one call may hold.
        concurrency: The number of calls that may be in flight.
        call_seconds: Estimates the time of a call with a given number of rows, in seconds, from recent calls.
        seconds_left: Until the outputs are needed.

    Returns:
        The number of rows in a call, at least 1.
    """

    def total_seconds(size: int) -> float:
        calls = -(-rows // size)
        # Calls in flight at the same time take one round together.
        rounds = -(-calls // concurrency)
        return rounds * call_seconds(min(size, rows))

    best = size = max_rows
    # Halving is fine enough, since the time of a call is only an estimate.
    while size > 1:
        size //= 2
        shorter = call_seconds(size) < WORTHWHILE_SHARE * call_seconds(best)
        too_slow = call_seconds(best) > SHARE_OF_TIME * seconds_left
        sooner = total_seconds(size) < WORTHWHILE_SHARE * total_seconds(best)
        if shorter and (too_slow or (sooner and size >= MIN_ROWS_TO_SPREAD)):
            best = size
    return best
