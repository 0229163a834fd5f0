"""How many rows may leave: a rate kept over every window of time, and a number under way that is never passed."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sequela.adapters.endpoints.row_limits import BURST_SECONDS, RowRate, RowsInFlight
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import Cancelled

PATIENCE = 60.0


class HandClock(Deadline):
    """Its time goes on only while somebody waits."""

    def __init__(self, timeout: float = math.inf) -> None:
        super().__init__(timeout)
        self.time = self.start

    def now(self) -> float:  # type: ignore[override]
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds


def leaving(rate: float, rows: list[int], rest: Callable[[int], float] = lambda _: 0.0) -> list[float]:
    """When calls of so many rows leave, one after another, the n-th after a rest."""
    deadline, limit = HandClock(), RowRate()
    times = []
    for number, count in enumerate(rows):
        deadline.time += rest(number)
        limit.wait(count, rate, deadline, math.inf)
        times.append(deadline.time)
    return times


@pytest.mark.parametrize("rows", [[10] * 100, [1, 30] * 50, [100] * 20])
@pytest.mark.parametrize("rest", [lambda _: 0.0, lambda n: 3.0 if n % 10 == 0 else 0.0])
def test_a_rate_holds_in_every_window(rows: list[int], rest: Callable[[int], float]) -> None:
    """Between any two calls no more rows leave than the rate gives, and what a quiet time left: a second's worth."""
    rate = 100.0
    times = leaving(rate, rows, rest)
    for first, last in itertools.combinations(range(len(rows)), 2):
        left = sum(rows[first : last + 1])
        assert left <= rate * (times[last] - times[first] + BURST_SECONDS) + max(rows[0], 1e-6) * 1e-6


def test_a_rate_is_used_up() -> None:
    """Who always has rows gets the rate."""
    times = leaving(100.0, [10] * 1000)
    assert 9990 / (times[-1] - times[0] + BURST_SECONDS) == pytest.approx(100, rel=0.01)


def test_without_a_rate_nobody_waits() -> None:
    deadline = HandClock()
    RowRate().wait(10**9, None, deadline, math.inf)
    assert deadline.time == deadline.start


def test_rows_that_cannot_leave_in_time() -> None:
    """Are refused at once, and take nobody else's time."""
    deadline, limit = HandClock(), RowRate()
    limit.wait(100, 100.0, deadline, math.inf)
    now = deadline.time
    for _ in range(5):
        with pytest.raises(DeadlinePassed):
            limit.wait(50, 100.0, deadline, now + 0.4)
    assert deadline.time == now
    limit.wait(50, 100.0, deadline, now + 0.6)
    assert deadline.time == pytest.approx(now + 0.5)


def test_rows_of_a_caller_who_left() -> None:
    """Their time is free again."""
    deadline, limit, gone = HandClock(), RowRate(), HandClock()
    limit.wait(100, 100.0, deadline, math.inf)
    gone.time = deadline.time
    gone.cancel()
    with pytest.raises(Cancelled):
        limit.wait(1000, 100.0, gone, math.inf)
    now = deadline.time
    limit.wait(10, 100.0, deadline, math.inf)
    assert deadline.time == pytest.approx(now + 0.1)


def test_the_deadline_of_the_request_counts_too() -> None:
    deadline, limit = HandClock(timeout=0.5), RowRate()
    limit.wait(100, 100.0, deadline, math.inf)
    with pytest.raises(DeadlinePassed):
        limit.wait(100, 100.0, deadline, math.inf)


def test_rows_under_way_never_pass_the_limit() -> None:
    """Many threads, calls of many sizes; all get through, and the limit is used."""
    held, lock = RowsInFlight(), threading.Lock()
    under_way = most = 0

    def call(rows: int) -> None:
        nonlocal under_way, most
        with held.hold(rows, 50, Deadline(), math.inf):
            with lock:
                under_way += rows
                most = max(most, under_way)
            threading.Event().wait(0.001)
            with lock:
                under_way -= rows

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(call, [1, 7, 20, 50, 13] * 40))
    assert 30 <= most <= 50


def test_more_rows_than_the_limit_go_alone() -> None:
    """A fixed batch may be larger; it waits until nothing else is under way, and nothing joins it."""
    held = RowsInFlight()

    def other(rows: int, deadline: Deadline) -> None:
        with held.hold(rows, 50, deadline, math.inf):
            pass

    with held.hold(500, 50, Deadline(), math.inf), pytest.raises(DeadlinePassed):
        other(1, Deadline(0.05))
    with held.hold(1, 50, Deadline(), math.inf), pytest.raises(DeadlinePassed):
        other(500, Deadline(0.05))
    other(500, Deadline())


def test_who_waits_for_a_place_may_leave() -> None:
    """A cancelled caller does not wait for others to end."""
    held, deadline = RowsInFlight(), Deadline()
    deadline.cancel()
    with (
        held.hold(50, 50, Deadline(), math.inf),
        pytest.raises(Cancelled),
        held.hold(1, 50, deadline, math.inf),
    ):
        pass


def test_a_place_is_free_again_after_a_failure() -> None:
    held = RowsInFlight()
    with pytest.raises(ValueError, match="call"), held.hold(50, 50, Deadline(), math.inf):
        raise ValueError("call")
    with held.hold(50, 50, Deadline(60), math.inf):
        pass
