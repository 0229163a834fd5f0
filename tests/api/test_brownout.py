"""Answers become rougher if all interactive requests wait, a step each interval, and better again when they do not."""

from __future__ import annotations

import pytest
from sequela.api.admission.brownout import INTERVAL_SECONDS, REFUSING, Brownout
from sequela.api.admission.priority import Priority

SERVICE = 0.03


class Ladder:
    """A brownout with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.brownout = Brownout(self.now)

    def interval(
        self,
        *waits: float,
        oldest: float | None = None,
        bulk_fill: float = 0.0,
        service: float = SERVICE,
        refused: int = 0,
        idle: float = 0.0,
    ) -> int:
        """Lets an interval pass in which requests begin after these waits, and returns the level."""
        self.brownout.note_idle(idle)
        for wait in waits:
            self.brownout.note_wait(wait)
        for _ in range(refused):
            self.brownout.note_refusal()
        self.now += max(INTERVAL_SECONDS, 2 * service) + 1e-6
        self.brownout.advance(self.now, oldest, bulk_fill, service)
        return self.brownout.level


def test_each_interval_in_which_all_wait_is_a_step() -> None:
    """Bulk twice, then interactive twice, then refusals, and no further."""
    ladder, seen = Ladder(), []
    for _ in range(7):
        ladder.interval(0.05, 0.03)
        factors = (ladder.brownout.factor(Priority.BULK), ladder.brownout.factor(Priority.INTERACTIVE))
        seen.append((ladder.brownout.level, *factors))
    assert seen[:5] == [(1, 2, 1), (2, 4, 1), (3, 4, 2), (4, 4, 4), (REFUSING, 4, 4)]
    assert seen[5:] == [(REFUSING, 4, 4)] * 2


@pytest.mark.parametrize(("wait", "levels"), [(0.079, 1), (0.08, 2), (0.16, 3), (0.32, 4), (60.0, 4)])
def test_the_longer_they_wait_the_more_steps_at_once(wait: float, levels: int) -> None:
    """A server with far too much work does not let a long queue form before it refuses requests.

    The one that waits by now counts, also if those that began in the interval came earlier and waited for less.
    """
    assert Ladder().interval(wait) == levels
    assert Ladder().interval(0.021, oldest=wait) == levels
    assert Ladder().interval(0.019, oldest=wait) == 0


def test_whoever_refuses_is_overloaded() -> None:
    """Also if those whom it lets in need not wait: they need not because others are refused."""
    ladder = Ladder()
    assert [ladder.interval(60.0) for _ in range(2)] == [REFUSING - 1, REFUSING]
    assert [ladder.interval(0.001, refused=3) for _ in range(5)] == [REFUSING] * 5
    assert [ladder.interval(0.001) for _ in range(2)] == [REFUSING - 1, REFUSING - 2]


def test_whoever_has_nothing_to_do_is_not_overloaded() -> None:
    """If it refuses some of a burst, that is because its queue is short, and stays so as long as the level does."""
    ladder = Ladder()
    assert [ladder.interval(60.0) for _ in range(2)] == [REFUSING - 1, REFUSING]
    busy, idle = (share * INTERVAL_SECONDS for share in (0.4, 0.6))
    assert [ladder.interval(0.001, refused=3, idle=busy) for _ in range(5)] == [REFUSING] * 5
    assert [ladder.interval(0.001, refused=3, idle=idle) for _ in range(2)] == [REFUSING - 1, REFUSING - 2]


def test_a_burst_is_no_overload() -> None:
    """As long as one request of an interval begins at once, the others may wait for long."""
    ladder = Ladder()
    assert [ladder.interval(0.0, 0.9, 0.9) for _ in range(5)] == [0] * 5


def test_it_goes_down_step_by_step_and_stays_between() -> None:
    """Waits of more than half the threshold keep the level; shorter ones lower it, and so does an idle server."""
    ladder = Ladder()
    for _ in range(4):
        ladder.interval(0.05)
    assert [ladder.interval(0.015), ladder.interval(0.005), ladder.interval()] == [4, 3, 2]
    ladder.now += 10.0
    assert ladder.interval() == 0


def test_an_idle_server_recovers_unasked() -> None:
    """The level that operators see falls, though no request comes that could make it fall."""
    ladder = Ladder()
    for _ in range(3):
        ladder.interval(0.05)
    after = [ladder.brownout.level_when_idle(ladder.now + wait, SERVICE) for wait in (0.0, 0.15, 0.25, 9.0)]
    assert after == [3, 2, 1, 0]


def test_nobody_begins_but_somebody_waits() -> None:
    """The request that waits counts, also if all cores are busy with long work."""
    assert Ladder().interval(oldest=0.06) == 1


@pytest.mark.parametrize(("wait", "level"), [(1.0, 0), (2.0, 1)])
def test_slow_models_may_wait_for_longer(wait: float, level: int) -> None:
    """Half of what a request takes on average, since that is how long two that come together wait for each other."""
    assert Ladder().interval(wait, service=3.0) == level


def test_bulk_work_alone_makes_only_bulk_rougher() -> None:
    """And only if its queue is nearly full: a long run that waits for its turn is no overload."""
    ladder = Ladder()
    assert [ladder.interval(bulk_fill=0.7) for _ in range(3)] == [0, 0, 0]
    assert [ladder.interval(bulk_fill=0.8) for _ in range(4)] == [1, 2, 2, 2]
    assert [ladder.interval(bulk_fill=0.1) for _ in range(2)] == [1, 0]
