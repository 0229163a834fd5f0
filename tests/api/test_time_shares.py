"""If all cannot end in time as they are, those that are due share the time, and nobody else gives way."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from sequela.api.admission.time_shares import NO_LIMIT, Demand, fair_share

SECONDS = st.floats(0.001, 10.0)
DEMANDS = st.lists(st.builds(Demand, SECONDS, SECONDS), max_size=12)


def test_enough_time_needs_no_limit() -> None:
    """Two cores, four requests of a second, two seconds."""
    assert fair_share([Demand(2.0, 1.0)] * 4, [], 2, 0.0) is NO_LIMIT
    assert fair_share([], [Demand(0.1, 5.0)], 1, 0.0) is NO_LIMIT


def test_many_with_little_time_get_the_same() -> None:
    """50 callers, 0.1 s, two cores: 4 ms each."""
    share = fair_share([Demand(0.1, 0.035)] * 50, [], 2, 0.0)
    assert math.isclose(share.of(0.1), 0.004)


def test_those_that_need_less_leave_more_to_others() -> None:
    """Of a second of one core, two need 0.1 s; the other two get 0.4 s each."""
    share = fair_share([Demand(1.0, 0.1), Demand(1.0, 0.1), Demand(1.0, 9.0)], [Demand(1.0, 5.0)], 1, 0.0)
    assert math.isclose(share.of(1.0), 0.4)


def test_later_deadlines_are_not_cut_short() -> None:
    """Work that has a minute does not give way to a crowd that has a tenth of a second."""
    share = fair_share([Demand(0.1, 1.0)] * 9, [Demand(60.0, 3.0)] * 2, 2, 0.0)
    assert share.of(60.0) == math.inf
    assert share.of(0.1) < 0.1


@given(DEMANDS, DEMANDS, st.integers(1, 4))
def test_with_the_share_all_fit(waiting: list[Demand], running: list[Demand], cores: int) -> None:
    """Those due by the tightest moment, each with no more than its share, exactly fill the cores until then."""
    share = fair_share(waiting, running, cores, 0.0)
    if share is NO_LIMIT:
        for each in waiting:
            due = sum(other.seconds for other in (*waiting, *running) if other.end <= each.end)
            assert due <= cores * each.end * (1 + 1e-9)
        return
    due = sum(min(each.seconds, share.seconds) for each in (*waiting, *running) if each.end <= share.until)
    assert math.isclose(due, cores * share.until, rel_tol=1e-9)
