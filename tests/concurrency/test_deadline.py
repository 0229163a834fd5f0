"""A request's time, shared out among its parts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sequela.concurrency import deadline as deadlines
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes between two lines of a test, however busy the machine is."""
    now = time.monotonic()
    monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: now))


def test_a_share_of_the_time_left() -> None:
    """A quarter of a hundred seconds is 25; a whole share takes nothing."""
    deadline = Deadline(100)
    before = deadline.end
    deadline.shorten(1)
    assert deadline.end == before
    deadline.shorten(0.25)
    assert deadline.remaining == 25
    assert not deadline.hurried


def test_no_share_of_endless_time_is_no_time() -> None:
    """Half of it is endless, and none of it is over at once. A deadline that has passed does not come again."""
    deadline = Deadline()
    deadline.shorten(0.5)
    assert deadline.remaining == math.inf
    deadline.shorten(0.0)
    assert deadline.remaining == 0.0
    passed = Deadline(-1.0)
    passed.shorten(0.0)
    assert passed.remaining == -1.0


def test_levels_end_before_the_work_and_never_after_it() -> None:
    """Their end is kept in a deadline beside it, and moves with the end of the work."""
    deadline = Deadline(100.0, conclusion=10.0)
    assert deadline.end - deadline.levels_end == 10.0
    beside = deadline.beside()
    assert beside.levels_end == deadline.levels_end
    beside.end_levels()
    assert beside.end == beside.levels_end == deadline.levels_end
    deadline.give_way(deadline.now() + 50.0)
    assert deadline.levels_end == deadline.end


def test_levels_make_room_for_others_too() -> None:
    """To solve and encode them is what takes the time that is kept back."""
    deadline = Deadline(100.0, conclusion=10.0)
    before = deadline.levels_end
    deadline.keep_back(2.0)
    assert before - deadline.levels_end == pytest.approx(2.0)


class Interrupted(Deadline):
    """Another thread moves the end once, just before the first one does."""

    interruptions = 1

    def bring_forward(self, end: float, levels_end: float = math.inf) -> None:
        if self.interruptions:
            self.interruptions = 0
            self.give_way(self.now() + 1.0)
        super().bring_forward(end, levels_end)


@pytest.mark.parametrize(
    "change",
    [
        Deadline.end_levels,
        lambda deadline: deadline.shorten(0.5),
        lambda deadline: deadline.keep_back(1.0),
        lambda deadline: deadline.give_way(deadline.now() + 50.0),
    ],
    ids=["end levels", "shorten", "keep back", "give way"],
)
def test_no_change_takes_back_that_of_another_thread(change: Callable[[Deadline], None]) -> None:
    """A request that has just been told to give way does not go on because its levels begin at the same moment."""
    deadline = Interrupted(100.0, conclusion=10.0)
    change(deadline)
    assert deadline.remaining == 1.0
    assert deadline.levels_end == deadline.end


def test_a_clock_beside_another_ends_with_it_and_is_cancelled_alone() -> None:
    """The end is the same; to cancel the one leaves the other running."""
    deadline = Deadline(100)
    beside = deadline.beside()
    assert beside.end == deadline.end
    beside.cancel()
    deadline.check()
    with pytest.raises(Cancelled):
        beside.check()


def test_what_is_kept_back_for_others_leaves_most_of_the_time() -> None:
    """So much, or three tenths of what is left."""
    long, short = Deadline(100.0), Deadline(1.0)
    before = long.end, short.end
    long.keep_back(2.0)
    short.keep_back(2.0)
    assert before[0] - long.end == pytest.approx(2.0)
    assert before[1] - short.end == pytest.approx(0.3)
    endless = Deadline()
    endless.keep_back(1.0)
    endless.keep_back(0.0)
    assert endless.end == math.inf


@pytest.mark.parametrize(
    "change",
    [
        Deadline.cancel,
        lambda deadline: deadline.shorten(0.5),
        lambda deadline: deadline.keep_back(1.0),
        lambda deadline: deadline.hurry(deadline.now()),
        lambda deadline: deadline.give_way(deadline.now()),
    ],
    ids=["cancel", "shorten", "keep back", "hurry", "give way"],
)
def test_who_follows_a_deadline_learns_of_every_change(change: Callable[[Deadline], None]) -> None:
    """At once, with the new state, and no longer than it wants."""
    deadline, found = Deadline(100.0), list[tuple[float, bool]]()
    before = deadline.end, False
    with deadline.followed(lambda: found.append((deadline.end, deadline.cancelled))):
        change(deadline)
    assert found == [(deadline.end, deadline.cancelled)] != [before]
    change(deadline)
    assert len(found) == 1
