"""How many rows go into each call."""

from __future__ import annotations

from collections.abc import Callable

SHARE_OF_TIME = 0.2
"""Share of the time left that one call may take, if it is as slow as recent ones."""
WORTHWHILE_SHARE = 0.8
"""A smaller call must take at most this share of a larger one's time to be worth it."""
MIN_ROWS_TO_SPREAD = 32
"""Calls are not made smaller than this only to have more of them under way: each costs work on our side too."""


def choose_call_rows(
    rows: int, max_rows: int, concurrency: int, call_seconds: Callable[[int], float], seconds_left: float
) -> int:
    """Chooses the size of calls so that all rows are answered soonest. Larger is better where that makes no difference.

    Calls that would take much of the time left are made smaller, as long as that makes them shorter.

    Args:
        rows: Rows to send.
        max_rows: Rows that one call may hold.
        concurrency: Calls that may be under way at a time.
        call_seconds: How long a call of so many rows should take, judged by recent calls.
        seconds_left: Until the outputs are needed.

    Returns:
        Rows of a call, 1 or more.
    """

    def total_seconds(size: int) -> float:
        calls = -(-rows // size)
        rounds = -(-calls // concurrency)
        return rounds * call_seconds(min(size, rows))

    best = size = max_rows
    while size > 1:
        size //= 2
        shorter = call_seconds(size) < WORTHWHILE_SHARE * call_seconds(best)
        too_slow = call_seconds(best) > SHARE_OF_TIME * seconds_left
        sooner = total_seconds(size) < WORTHWHILE_SHARE * total_seconds(best)
        if shorter and (too_slow or (sooner and size >= MIN_ROWS_TO_SPREAD)):
            best = size
    return best
