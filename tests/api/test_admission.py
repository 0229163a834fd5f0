"""Which explanations are let in, which wait, and which are refused, and why. Nobody works here; slots are only held."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from api.admission_door import COST, HUGE, SHAPE, Door, run, ticket
from sequela.api.admission.brownout import REFUSING
from sequela.api.admission.cost import estimated_seconds, scoring_seconds
from sequela.api.admission.cost_averages import FIRST_OVERTIME_SECONDS
from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import ExplainShape, RequestShape, ScoreShape
from sequela.api.admission.ticket import Ticket
from sequela.api.admission.waiting_queues import QueueLimits
from sequela.concurrency.deadline import Deadline
from sequela.errors import OutOfTime, Unavailable
from sequela.explain.telemetry import RequestBegun


def test_as_many_as_there_are_slots_begin_at_once() -> None:
    """The others wait, and begin when one leaves; all hear how long they waited."""

    async def scene() -> None:
        door = Door()
        for client in "abcd":
            await door.come(ticket(client))
        assert [each.client for each, _ in door.inside] == ["a", "b"]
        assert door.slots.backlog_seconds(Priority.INTERACTIVE) == pytest.approx(4 * COST, rel=0.2)
        assert door.slots.backlog_seconds(Priority.BULK) == 0.0
        for _ in range(4):
            await door.leave()
        assert door.slots.backlog_seconds(Priority.INTERACTIVE) == 0.0
        assert len(door.heard.of(RequestBegun)) == 4  # type: ignore[attr-defined]

    run(scene)


def test_a_deadline_that_is_too_short_for_the_work_is_refused_at_once() -> None:
    """Even by an idle server, and without a time to retry, since that would not help."""

    async def scene() -> None:
        door = Door()
        await door.come(ticket(shape=HUGE), timeout=0.4 * scoring_seconds(HUGE))
        (error,) = door.errors
        assert isinstance(error, OutOfTime)
        assert (error.reason, error.retry_after) == ("DEADLINE_TOO_SHORT", None)
        await door.come(ticket(shape=HUGE), timeout=60.0)
        assert len(door.inside) == 1

    run(scene)


def test_time_that_is_spent_waiting_has_its_own_reason() -> None:
    """The request could have been answered in time, but those before it took longer than expected."""

    async def scene() -> None:
        door = Door(slots=1)
        await door.come(ticket("one"))
        await door.come(ticket("two"), timeout=2 * COST)
        await asyncio.sleep(2 * COST + 0.05)
        await door.rest()
        (error,) = door.errors
        assert isinstance(error, OutOfTime)
        assert error.reason == "DEADLINE_SPENT_WAITING"
        assert error.retry_after is not None
        # Its place is free: the next one waits behind the first alone.
        await door.leave()
        assert not door.inside

    run(scene)


def test_one_request_is_always_let_in() -> None:
    """Whatever it costs, if it can be answered in time."""

    async def scene() -> None:
        door = Door(QueueLimits(requests=0, interactive_seconds=0.001, bulk_seconds=0.001), slots=1)
        await door.come(ticket(shape=HUGE))
        assert len(door.inside) == 1

    run(scene)


def test_callers_with_little_time_share_it() -> None:
    """Each may take what is left divided by those who wait; who came first gives way too."""

    async def scene() -> None:
        door = Door()
        for number in range(20):
            await door.come(ticket(str(number)), timeout=5 * COST)
        assert not door.errors
        before = [deadline.remaining for _, deadline in door.inside]
        assert all(left < 3 * COST for left in before)
        await door.leave(0.2 * COST)
        late, deadline = door.inside[-1]
        assert late.share_seconds < COST
        # The scores may take until its own deadline.
        assert deadline.remaining > late.share_seconds

    run(scene)


def test_nobody_gives_way_to_bulk_work() -> None:
    """However much of it waits, with whatever deadlines; it shares the time that it gets."""

    async def scene() -> None:
        door = Door()
        await door.come(ticket("urgent"), timeout=4 * COST)
        await door.come(ticket("bulk", Priority.BULK), timeout=4 * COST)
        for _ in range(15):
            await door.come(ticket("bulk", Priority.BULK), timeout=4 * COST)
        (_, urgent), (_, bulk) = door.inside
        assert not urgent.gave_way
        assert bulk.gave_way

    run(scene)


def test_without_pressure_nobody_is_limited() -> None:
    """Deadlines of a minute allow all that wait."""

    async def scene() -> None:
        door = Door()
        for number in range(20):
            await door.come(ticket(str(number)))
        assert all(each.share_seconds == math.inf and each.error_factor == 1.0 for each, _ in door.inside)
        assert all(deadline.remaining > 59 for _, deadline in door.inside)

    run(scene)


def test_costs_are_corrected_by_what_requests_take() -> None:
    """If a model takes ten times as long as was estimated, what waits counts ten times as much."""

    async def scene() -> None:
        door = Door(slots=1)
        for _ in range(60):
            await door.come(ticket())
            await door.leave(10 * COST)
        await door.come(ticket())
        assert door.slots.backlog_seconds(Priority.INTERACTIVE) == pytest.approx(10 * COST, rel=0.1)
        # Failures teach nothing.
        await door.leave(0.0, ValueError("no"))
        await door.come(ticket())
        assert door.slots.backlog_seconds(Priority.INTERACTIVE) == pytest.approx(10 * COST, rel=0.1)
        # Another model is not known yet, nor how long this one takes to score.
        await door.come(Ticket("one", Priority.BULK, "other", SHAPE))
        assert door.slots.backlog_seconds(Priority.BULK) == pytest.approx(COST, rel=0.1)

    run(scene)


def test_an_answer_whose_levels_ran_out_of_time_does_not_tell_what_they_take() -> None:
    """It was cut short, though it was there before its deadline."""

    async def scene() -> None:
        door = Door(slots=1)
        for _ in range(30):
            await door.come(ticket(), timeout=COST, conclusion=COST / 2)
            await asyncio.sleep(0.6 * COST)
            await door.leave(0.6 * COST)
        await door.come(ticket())
        assert door.slots.backlog_seconds(Priority.INTERACTIVE) == pytest.approx(COST, rel=0.1)

    run(scene)


@pytest.mark.parametrize(
    "shape", [ScoreShape(10_000_000), replace(SHAPE, levels=0)], ids=["scores", "no levels"]
)
def test_scores_that_use_the_time_of_levels_are_not_late(shape: RequestShape) -> None:
    """They were not cut short, so what they took is what such a request costs."""

    async def scene() -> None:
        door, asked = Door(slots=1), ticket(shape=shape)
        cost = estimated_seconds(shape)
        door.slots._averages.note(asked, cost, over=-1.0)
        for _ in range(30):
            await door.come(asked, timeout=cost, conclusion=cost / 2)
            await asyncio.sleep(0.6 * cost)
            await door.leave(0.6 * cost)
        assert door.slots._averages.seconds(asked, 1.0) == pytest.approx(0.6 * cost, rel=0.1)
        assert door.slots._averages.overtime_seconds(asked) <= FIRST_OVERTIME_SECONDS

    run(scene)


@pytest.mark.parametrize(
    ("idle", "first"), [(True, Priority.BULK), (False, Priority.INTERACTIVE)], ids=["idle", "busy"]
)
def test_bulk_work_owes_nothing_after_the_server_was_idle(idle: bool, first: Priority) -> None:
    """What it took of time that nobody else wanted, perhaps hours ago, does not hold up later bulk work."""

    async def scene() -> None:
        door = Door(slots=1)
        await door.come(ticket("bulk", Priority.BULK))
        if idle:
            await door.leave()
        for priority in (Priority.INTERACTIVE, Priority.BULK, Priority.INTERACTIVE):
            await door.come(ticket(str(priority), priority))
        await door.leave()
        assert [each.priority for each, _ in door.inside] == [first]

    run(scene)


def test_an_overloaded_server_answers_roughly_and_then_refuses_early() -> None:
    """Requests that begin hear by how much their target is raised; at the last level, long waits are refused."""

    async def scene() -> None:
        door = Door()
        assert door.brownout
        for _ in range(4):
            await door.come(ticket())
        levels = [0]
        while levels[-1] < REFUSING:
            door.brownout.note_wait(1.0)
            await asyncio.sleep(0.11)
            door.slots._advance(Deadline.now())
            levels.append(door.slots.brownout_level)
        assert sorted(levels) == levels
        await door.leave()
        assert door.inside[-1][0].error_factor == 4.0
        # Who has a minute may wait for seconds; who has little is told at once.
        for _ in range(3):
            await door.come(ticket("patient"), timeout=600.0)
        assert not door.errors
        for _ in range(20):
            await door.come(ticket("other"), timeout=30 * COST)
        assert "QUEUE_FULL" in door.reasons
        assert "overloaded" in str(door.errors[0])
        waiting = len(door.errors)
        await door.come(ticket("bulk", Priority.BULK))
        assert len(door.errors) == waiting  # may wait

    run(scene)


def test_without_brownout_nothing_becomes_rougher() -> None:
    """However long requests wait."""

    async def scene() -> None:
        door = Door(brownout=False)
        for _ in range(30):
            await door.come(ticket())
        await asyncio.sleep(0.2)
        await door.leave()
        assert {each.error_factor for each, _ in door.inside} == {1.0}
        assert door.slots.brownout_level == 0

    run(scene)


def test_draining_refuses_all_that_wait() -> None:
    """And all that come."""

    async def scene() -> None:
        door = Door(slots=1)
        for _ in range(3):
            await door.come(ticket())
        door.slots.close()
        await door.rest()
        await door.come(ticket())
        assert door.reasons == ["DRAINING"] * 3
        assert all(isinstance(error, Unavailable) for error in door.errors)
        await door.leave()
        assert not door.inside

    run(scene)


def test_a_caller_who_hangs_up_leaves_the_queue() -> None:
    """Also one whose turn has just come."""

    async def scene() -> None:
        door = Door(slots=1)
        for client in "abc":
            await door.come(ticket(client))
        door._tasks[1].cancel()
        await door.rest()
        gone, deadline = door.inside.pop()
        door.slots.leave(deadline, COST, None)
        door._tasks[2].cancel()  # before it has noticed that it may begin
        await door.rest()
        assert gone.client == "a"
        assert door.slots.backlog_seconds(Priority.INTERACTIVE) == 0.0
        await door.come(ticket("d"))
        assert [each.client for each, _ in door.inside] == ["d"]

    run(scene)


@pytest.mark.parametrize(
    ("larger", "smaller"),
    [
        (ExplainShape(100, 10), ExplainShape(50, 10)),
        (ExplainShape(50, 20), ExplainShape(50, 10)),
        (ExplainShape(50, 10), ExplainShape(50, 10, levels=1)),
        (ExplainShape(50, 10, max_coalitions=1 << 20, target_error=0.0), ExplainShape(50, 10)),
        (ExplainShape(50, 10, target_error=0.001), ExplainShape(50, 10)),
        (ExplainShape(50, 10), ExplainShape(50, 10, max_coalitions=128)),
        (ScoreShape(10_000_000), ScoreShape(1_000)),
    ],
)
def test_the_estimate_grows_with_the_work(larger: RequestShape, smaller: RequestShape) -> None:
    """More events, columns, levels, coalitions, accuracy or sequences cost more."""
    assert estimated_seconds(larger) > estimated_seconds(smaller)


@pytest.mark.parametrize("target", [math.nan, -1.0, 5e-324, math.inf])
def test_an_estimate_takes_any_options(target: float) -> None:
    """Nobody has checked them yet."""
    assert 0 < estimated_seconds(ExplainShape(1, 1, 3, None, target)) < 60
    assert estimated_seconds(SHAPE, error_factor=4.0) < COST
