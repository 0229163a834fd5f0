"""How much of a deadline is reserved for the answer."""

from __future__ import annotations

import pytest
from sequela.api.deadline_policy import DeadlinePolicy

POLICY = DeadlinePolicy(default_timeout=60.0, reserve=0.02, stream_window=8)


@pytest.mark.parametrize(
    ("seconds", "reserved"),
    [
        (0.01, 0.4 * 0.01 + 0.015 * 0.01),
        (1.0, 0.02 + 0.015),
        (30.0, 0.02 + 0.3 + 0.1),
        (600.0, 0.02 + 6.0 + 0.1),
    ],
)
def test_what_is_reserved_grows_with_the_deadline(seconds: float, reserved: float) -> None:
    """The setting, at most 40 %; 1 % that gRPC may have rounded up; and 0.5 % for a busy machine, at most 0.1 s."""
    deadline = POLICY.within(seconds)
    assert deadline.levels_end - deadline.start == pytest.approx(seconds - reserved)


@pytest.mark.parametrize(("seconds", "earlier"), [(0.01, 0.002), (0.1, 0.01), (30.0, 0.01)])
def test_scores_have_half_of_the_reserve(seconds: float, earlier: float) -> None:
    """They are sent as soon as the model has run. Only levels have to be solved afterwards."""
    deadline = POLICY.within(seconds)
    assert deadline.end - deadline.levels_end == pytest.approx(earlier)


def test_the_shortest_timeout_counts() -> None:
    """None sets none, and without any there is the default."""
    for timeouts, seconds in (((5.0, None, 2.0), 2.0), ((None,), 60.0), ((), 60.0)):
        deadline = POLICY.within(*timeouts)
        assert 0.95 * seconds < deadline.end - deadline.start < seconds
