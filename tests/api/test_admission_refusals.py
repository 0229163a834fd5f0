"""Whom a full queue refuses, and when it asks them to come again."""

from __future__ import annotations

import asyncio

import pytest
from api.admission_door import COST, LARGE, SLOW, Door, run, ticket
from sequela.api.admission.brownout import REFUSING
from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import ExplainShape
from sequela.api.admission.waiting_queues import QueueLimits
from sequela.concurrency.deadline import Deadline
from sequela.errors import Overloaded


def test_a_queue_with_too_much_before_it_is_full() -> None:
    """A request that would have no time left is refused at once, with a time to retry that has jitter."""

    async def scene() -> None:
        door = Door()
        for _ in range(6):
            await door.come(ticket(shape=LARGE))
        await door.come(ticket("two"), timeout=0.1)
        (error,) = door.errors
        assert isinstance(error, Overloaded)
        assert error.reason == "QUEUE_FULL"
        # In its turn it goes before most of what waits.
        drain = door.slots.backlog_seconds(Priority.INTERACTIVE) / 2
        assert error.retry_after is not None
        assert drain / 3 <= error.retry_after <= 1.5 * (drain / 3 + 0.1)

    run(scene)


def test_a_refused_caller_need_not_wait_for_the_bulk_work() -> None:
    """Which may be minutes. Nobody is told to wait for more than half a minute, neither are bulk callers."""

    async def scene() -> None:
        door = Door(QueueLimits(requests=5, interactive_seconds=60.0, bulk_seconds=600.0), slots=1)
        await door.come(ticket())
        for number in range(6):
            await door.come(ticket(f"bulk {number}", Priority.BULK, SLOW), timeout=600.0)
        for number in range(6):
            await door.come(ticket(str(number)))
        assert door.slots.backlog_seconds(Priority.BULK) > 100
        assert door.reasons == ["QUEUE_FULL"] * 2
        bulk, interactive = (error.retry_after or 0.0 for error in door.errors)
        assert 20 <= bulk <= 30
        assert interactive <= 1.5 * (1.1 * 7 * COST + 0.1)

    run(scene)


@pytest.mark.parametrize("timeout", [2 * COST, 0.9 * COST])
def test_nobody_is_refused_for_a_request_that_is_refused_itself(timeout: float) -> None:
    """The queue is full, and the newcomer's client has less in it, but too little time even after its turn."""

    async def scene() -> None:
        door = Door(QueueLimits(requests=4, interactive_seconds=60.0, bulk_seconds=60.0), slots=1)
        await door.come(ticket("large", shape=LARGE))
        for _ in range(4):
            await door.come(ticket("flood"))
        await door.come(ticket("new"), timeout=timeout)
        (error,) = door.errors
        assert "requests before this one take" in str(error)
        for _ in range(4):
            assert (await door.leave()).client in ("large", "flood")
        assert [each.client for each, _ in door.inside] == ["flood"]

    run(scene)


def test_room_that_another_makes_counts() -> None:
    """A newcomer does not have to wait for the request that makes room for it."""

    async def scene() -> None:
        door = Door(QueueLimits(requests=1, interactive_seconds=60.0, bulk_seconds=60.0), slots=1)
        await door.come(ticket("first"))
        await door.come(ticket("flood", shape=LARGE))
        await door.come(ticket("new"), timeout=2 * COST + 0.01)
        await door.leave()
        assert [each.client for each, _ in door.inside] == ["new"]
        assert "are waiting; at most" in str(door.errors[0])

    run(scene)


@pytest.mark.parametrize(
    "limits",
    [
        QueueLimits(requests=4, interactive_seconds=60.0, bulk_seconds=60.0),
        QueueLimits(requests=64, interactive_seconds=4.5 * COST, bulk_seconds=60.0),
    ],
    ids=["requests", "seconds"],
)
def test_a_full_queue_refuses_whoever_has_the_most(limits: QueueLimits) -> None:
    """A client that floods is refused, and makes room for others, until they have half as much."""

    async def scene() -> None:
        door = Door(limits, slots=1)
        for _ in range(7):
            await door.come(ticket("flood"))
        assert door.reasons == ["QUEUE_FULL"] * 2  # one is inside, four wait
        await door.come(ticket("new"))
        assert len(door.errors) == 3
        await door.come(ticket("new"))
        assert len(door.errors) == 4  # its own: it would have as much as the other
        await door.leave()
        await door.leave()
        assert "new" in [each.client for each, _ in door.inside] or (await door.leave()).client == "new"
        await door.come(ticket("bulk", Priority.BULK))  # has a queue of its own
        assert len(door.errors) == 4

    run(scene)


async def next_interval(door: Door, wait: float) -> int:
    """Lets an interval pass in which requests began after this wait, and returns the level."""
    assert door.brownout
    door.brownout.note_wait(wait)
    await asyncio.sleep(0.11)
    door.slots._advance(Deadline.now())
    return door.slots.brownout_level


def test_in_an_overload_a_request_waits_for_less_than_it_takes() -> None:
    """Or for a fiftieth of its time. A server that refuses others stays overloaded until it refuses none any more."""

    async def scene() -> None:
        door = Door()
        for _ in range(4):
            await door.come(ticket())
        assert await next_interval(door, 60.0) == 0  # the first two began at once
        assert [await next_interval(door, 60.0) for _ in range(2)] == [REFUSING - 1, REFUSING]
        # Two wait, so a third waits for as long as a request takes.
        await door.come(ticket(), timeout=1.0)
        assert door.reasons == ["QUEUE_FULL"]
        await door.come(ticket(shape=ExplainShape(events=100, columns=30)), timeout=1.0)
        await door.come(ticket(), timeout=60.0)
        assert door.reasons == ["QUEUE_FULL"]
        assert await next_interval(door, 0.0) == REFUSING
        assert await next_interval(door, 0.0) == REFUSING - 1

    run(scene)
