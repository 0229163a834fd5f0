"""A request's time, shared out among its parts."""

from __future__ import annotations

import math

import pytest
from sequela.concurrency.deadline import Clock
from sequela.errors import Cancelled


def test_a_share_of_the_time_left() -> None:
    """A quarter of a hundred seconds is at most 25; a whole share takes nothing."""
    clock = Clock(100)
    before = clock.end
    clock.shorten(1)
    assert clock.end <= before
    assert clock.remaining > 75
    clock.shorten(0.25)
    assert 20 < clock.remaining <= 25
    assert not clock.hurried


def test_a_clock_beside_another_ends_with_it_and_is_cancelled_alone() -> None:
    """The end is the same; to cancel the one leaves the other running."""
    clock = Clock(100)
    beside = clock.beside()
    assert beside.end == pytest.approx(clock.end, abs=1)
    beside.cancel()
    clock.check()
    with pytest.raises(Cancelled):
        beside.check()


def test_what_is_kept_back_for_others_leaves_most_of_the_time() -> None:
    """So much, or three tenths of what is left."""
    long, short = Clock(100.0), Clock(1.0)
    before = long.end, short.end
    long.keep_back(2.0)
    short.keep_back(2.0)
    assert before[0] - long.end == pytest.approx(2.0)
    assert before[1] - short.end == pytest.approx(0.3, abs=0.01)
    endless = Clock()
    endless.keep_back(1.0)
    endless.keep_back(0.0)
    assert endless.end == math.inf
