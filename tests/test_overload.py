"""Short versions of what `make soak` measures for longer: a server that has more to do than it can.

The bounds here hold on any machine, since each load is a multiple of what the machine at hand can do.
"""

from __future__ import annotations

import math

import pytest
from overload import burst, flood, steady

pytestmark = pytest.mark.slow

SECONDS = 6.0
KNOWN = {
    "QUEUE_FULL",
    "DEADLINE_SPENT_WAITING",
    "DEADLINE_TOO_SHORT",
    "DEADLINE_EXCEEDED",  # the client's own clock
}
BURST_FACTOR = 3.0
"""A burst has a third of the time that full answers would take."""


@pytest.fixture(scope="module")
def saturation() -> float:
    """What the server can answer in full, in answers a second."""
    return steady.saturation(SECONDS)


def test_three_times_what_the_server_can(saturation: float) -> None:
    """It answers about as much as it could in full, or more; the rest gets a reason, and health checks an answer."""
    found = steady.measure(saturation, SECONDS, seed=1)
    assert found.goodput > 0.7 * found.saturation
    assert set(found.reasons) <= KNOWN
    assert found.reasons["QUEUE_FULL"] > 0
    assert found.refused_p99 < found.interactive_p99
    assert found.health_p99 < steady.INTERACTIVE_TIMEOUT
    assert found.rough > 0
    # A few hundred answers; the long version holds it to 93 to 97 %.
    assert 0.9 < found.coverage < 0.99 or math.isnan(found.coverage)
    first, last = found.memory_mb
    assert last < first + 200


def test_a_client_that_floods_is_refused_and_not_the_others(saturation: float) -> None:
    """It sends ten times as much as each of four others, which send half of what the server can."""
    found = flood.measure(saturation, SECONDS, seed=2)
    assert found.answered[1] > 0.8 * found.answered[0]
    assert found.flood_answered < found.answered[1]


def test_many_callers_with_little_time_get_rougher_answers(saturation: float) -> None:
    """Most of them get one, though time for full answers to all of them is not there by far."""
    found = burst.measure(3, seed=3, timeout=burst.CALLERS / saturation / BURST_FACTOR)
    assert found.answered > 1.5 / BURST_FACTOR
    assert set(found.reasons) <= KNOWN
