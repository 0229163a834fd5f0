"""Which stage of a game comes next."""

from __future__ import annotations

import math

from sequela.concurrency.deadline import Deadline
from sequela.explain.estimate.stages import FIRST_PART, MAX_UNSPLIT, StagePlan
from sequela.timeshap.coalitions import FEWEST_TO_TRUST, stages

SIZES = stages(30, 32_768)


def stage_sizes(sizes: tuple[int, ...], whole: bool = False, smallest_useful: float = 0.0) -> list[int]:
    """All stages taken one after the other."""
    taken = StagePlan(sizes, whole, math.inf)
    found = [0]
    while found[-1] < taken.last:
        found.append(taken.after(found[-1], smallest_useful))
    return found[1:]


def test_every_stage_may_reach_the_target() -> None:
    """Where there is hope none is left out."""
    assert stage_sizes(SIZES) == list(SIZES)


def test_stages_that_cannot_reach_the_target_are_taken_two_at_a_time() -> None:
    """The last one is never left out."""
    assert stage_sizes(SIZES, smallest_useful=math.inf) == [*SIZES[1:-1:2], *SIZES[-1:]]


def test_a_whole_game_is_played_at_once() -> None:
    """A large one after a part of it, which is there should the time not suffice."""
    small, large = stages(16, 1 << 16), stages(18, 1 << 18)
    assert small[-1] == MAX_UNSPLIT
    assert stage_sizes(small, whole=True) == [MAX_UNSPLIT]
    first, last = stage_sizes(large, whole=True)
    assert first in large
    assert first <= FIRST_PART * last
    assert last == 1 << 18


def test_what_would_not_end_in_time_gives_way_to_smaller_stages() -> None:
    """By the time that coalitions took so far; the next stage is always tried."""
    sizes = stages(18, 1 << 18)
    slow = StagePlan(sizes, whole=True, until=Deadline.now() + 3600)
    assert slow.after(sizes[0], 0.0) == 1 << 18
    slow._seconds = 3600 / (sizes[5] - sizes[0])
    assert sizes[3] <= slow.after(sizes[0], 0.0) <= sizes[5]
    slow._seconds = 3600.0
    assert slow.after(sizes[0], 0.0) == sizes[1]


def test_where_every_stage_costs_a_round_trip_useless_ones_are_skipped() -> None:
    """As far as there is no hope and the share of the time reaches; the first stage tells how long coalitions take."""
    far = StagePlan(SIZES, whole=False, until=Deadline.now() + 3600, direct_share=0.25)
    assert far.after(0, math.inf) == SIZES[1]
    far._seconds = 1e-6
    assert far.after(SIZES[1], math.inf) == SIZES[-1]
    assert far.after(SIZES[1], float(SIZES[6])) == SIZES[6]
    assert far.after(SIZES[1], 0.0) == SIZES[2]
    far._seconds = 0.25 * 3600 / (SIZES[5] - SIZES[1])
    assert SIZES[3] <= far.after(SIZES[1], math.inf) <= SIZES[5]


def test_stages_that_no_target_may_end_are_passed_over() -> None:
    """One small stage, which tells how long coalitions take, and then the first that may be the last."""
    sizes = stages(30, 32_768, fewest=FEWEST_TO_TRUST)
    assert FEWEST_TO_TRUST in sizes
    assert set(sizes) - set(SIZES) > {FEWEST_TO_TRUST}
    for direct_share in (0.0, 0.25):
        found = StagePlan(
            sizes, whole=False, until=math.inf, direct_share=direct_share, min_trusted=FEWEST_TO_TRUST
        )
        assert found.after(0, FEWEST_TO_TRUST) == sizes[0]
        assert found.after(sizes[0], FEWEST_TO_TRUST) == FEWEST_TO_TRUST
        assert found.after(FEWEST_TO_TRUST, 0.0) == 1434
    slow = StagePlan(sizes, whole=False, until=Deadline.now() + 3600, min_trusted=FEWEST_TO_TRUST)
    slow._seconds = 3600 / (500 - sizes[0])
    assert slow.after(sizes[0], FEWEST_TO_TRUST) == 495
    short = StagePlan(stages(30, 500, fewest=FEWEST_TO_TRUST), False, math.inf, 0.0, FEWEST_TO_TRUST)
    assert short.after(short._sizes[0], FEWEST_TO_TRUST) == 500


def test_a_guess_keeps_a_first_stage_small_where_time_is_short() -> None:
    """An eighth of the time where all of it may not do, or a guess that is off by a few times would leave nothing; the
    whole game where there is no doubt.
    """
    sizes = stages(12, 4096, at_once=0)
    tight = StagePlan(sizes, whole=True, until=Deadline.now() + 3600)
    tight.expect(2 * 3600 / 4096)
    assert tight.after(0, math.inf) == 252
    ample = StagePlan(sizes, whole=True, until=Deadline.now() + 3600)
    ample.expect(0.5 * 3600 / 4096)
    assert ample.after(0, math.inf) == 252
    assert ample.after(252, math.inf) == 4096
    ample.expect(0.1 * 3600 / 4096)
    assert ample.after(0, math.inf) == 4096
    endless = StagePlan(sizes, whole=True, until=math.inf)
    endless.expect(3600)
    assert endless.after(0, math.inf) == 4096
