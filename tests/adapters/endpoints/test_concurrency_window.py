"""What calls take is learned from calls, and as many go at a time as keep a server busy: on simulated servers."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import pytest
from sequela.adapters.endpoints.concurrency_window import RELEARN_SECONDS, CallTimes, ConcurrencyWindow

ROWS = 32
MOST = 64
WARM = 500
"""Calls after which a window is expected to have found its size."""


@dataclass
class Simulated:
    """A server of `units` that each take one call at a time for `service` seconds, `latency` seconds away either way.
    Callers always have as many calls under way as the window allows.
    """

    units: int
    service: float
    latency: float = 0.0
    now: float = 0.0
    served: int = 0
    sizes: list[int] = field(default_factory=list)
    _free: list[float] = field(default_factory=list)
    _under_way: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free = [0.0] * self.units

    def run(self, window: ConcurrencyWindow, calls: int) -> float:
        """So many calls; the share of the server's time that it was busy."""
        start = self.now
        self.sizes.clear()
        for _ in range(calls):
            while len(self._under_way) < window.size:
                self._send()
            self.now, sent = heapq.heappop(self._under_way)
            window.record_answer(ROWS, self.now - sent, self.now)
            self.sizes.append(window.size)
        return calls * self.service / self.units / (self.now - start)

    def _send(self) -> None:
        begun = max(heapq.heappop(self._free), self.now + self.latency)
        heapq.heappush(self._free, begun + self.service)
        heapq.heappush(self._under_way, (begun + self.service + self.latency, self.now))


SERVERS = [
    (1, 0.02, 0.0),
    (1, 0.01, 0.02),
    (4, 0.02, 0.0),
    (4, 0.02, 0.02),
    (16, 0.02, 0.001),
    (1, 0.002, 0.02),
]


@pytest.mark.parametrize(("units", "service", "latency"), SERVERS)
def test_a_server_is_kept_busy_and_no_queue_piles_up(units: int, service: float, latency: float) -> None:
    """Nine tenths of its time at least; at most a few calls more than it can have under way wait before it."""
    window, server = ConcurrencyWindow(MOST), Simulated(units, service, latency)
    server.run(window, WARM)
    assert server.run(window, 1000) > 0.9
    useful = units * (1 + 2 * latency / service)
    assert max(server.sizes) <= useful + 6


def test_a_server_without_bounds_is_sent_all_that_is_allowed() -> None:
    """Where calls take as long however many there are, waiting for one before another helps nobody."""
    window, server = ConcurrencyWindow(MOST), Simulated(1000, 0.02, 0.02)
    server.run(window, WARM)
    assert window.size == MOST


@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_than_allowed(most: int) -> None:
    """Nor fewer than one."""
    window, server = ConcurrencyWindow(most), Simulated(1000, 0.02)
    server.run(window, 100)
    assert set(server.sizes) <= set(range(1, most + 1))
    assert window.size == most
    for _ in range(10):
        window.record_failure()
    assert window.size == 1


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_a_server_that_changes_is_learned_anew(factor: float) -> None:
    """Calls that take five times as long, or a fifth: after a while it is kept busy again without a queue."""
    window, server = ConcurrencyWindow(MOST), Simulated(4, 0.02, 0.02)
    server.run(window, WARM)
    server.service *= factor
    while server.now < 3.5 * RELEARN_SECONDS:  # between two times of learning
        server.run(window, 100)
    assert server.run(window, 1000) > 0.85
    assert max(server.sizes) <= 4 * (1 + 2 * 0.02 / server.service) + 8


def test_a_failure_halves_and_success_grows_slowly() -> None:
    """One more for each window's worth of calls that did not wait."""
    window = ConcurrencyWindow(MOST)
    server = Simulated(1000, 0.02)
    server.run(window, WARM)
    window.record_failure()
    assert window.size == MOST // 2
    for _ in range(MOST // 2):
        window.record_answer(ROWS, 0.02, server.now)
    assert window.size == MOST // 2 + 1


def test_another_limit() -> None:
    """Holds at once."""
    window = ConcurrencyWindow(MOST)
    Simulated(1000, 0.02).run(window, WARM)
    window.set_max_calls(3)
    assert window.size == 3


def test_calls_of_different_sizes_are_not_compared() -> None:
    """Large calls take longer than small ones; that is no sign of waiting."""
    window = ConcurrencyWindow(MOST)
    for call in range(1000):
        rows = (1, 256)[call % 2]
        window.record_answer(rows, 0.001 * rows, now=call / 1000)
    assert window.size == MOST


def test_the_meter_finds_the_line() -> None:
    """A constant and so much a row, exactly; before any call it knows nothing."""
    meter = CallTimes()
    assert meter.seconds(10) == 0
    for rows in (1, 64, 17, 256, 3) * 20:
        meter.add(rows, 0.01 + 0.0001 * rows)
    assert meter.seconds(0) == pytest.approx(0.01)
    assert meter.seconds(1000) == pytest.approx(0.11)


def test_calls_of_one_size_tell_no_slope() -> None:
    """Any other size is taken to take as long."""
    meter = CallTimes()
    for _ in range(10):
        meter.add(32, 0.02)
    assert meter.seconds(1) == meter.seconds(256) == pytest.approx(0.02)


def test_slopes_stay_sensible() -> None:
    """A row more makes no call shorter, and none takes less than nothing, whatever the noise."""
    meter = CallTimes()
    for rows, seconds in ((1, 0.5), (100, 0.1), (50, 0.2)) * 5:
        meter.add(rows, seconds)
    assert meter.seconds(10) == meter.seconds(1000) > 0
    steep = CallTimes()
    for rows, seconds in ((100, 0.001), (110, 1.0)) * 5:
        steep.add(rows, seconds)
    assert steep.seconds(0) >= 0


def test_what_was_long_ago_is_forgotten() -> None:
    """After a hundred calls a server that became slower is known to be slow."""
    meter = CallTimes()
    for _ in range(1000):
        meter.add(32, 0.01)
    for _ in range(100):
        meter.add(32, 0.1)
    assert meter.seconds(32) == pytest.approx(0.1, rel=0.01)
