"""Requests for a model of which nothing was measured yet: a guess shares the time, but refuses nobody."""

from __future__ import annotations

import pytest
from api.admission_door import COST, HUGE, SHAPE, Door, run, ticket
from sequela.api.admission.cost import estimated_seconds
from sequela.api.admission.cost_averages import FIRST_ANSWERS, CostAverages
from sequela.api.admission.priority import Priority
from sequela.api.admission.waiting_queues import QueueLimits

FEW = QueueLimits(requests=8, interactive_seconds=0.001, bulk_seconds=0.001)


def test_no_guess_refuses_a_request() -> None:
    """Neither a deadline that seems too short for the work, nor more work than may wait, nor long waits."""

    async def scene() -> None:
        door = Door(FEW, known=False)
        for client in "abcdefgh":
            await door.come(ticket(client, shape=HUGE), timeout=0.4 * estimated_seconds(HUGE) / 100)
        assert not door.errors
        assert len(door.inside) == 2

    run(scene)


def test_requests_that_are_too_many_are_refused_all_the_same() -> None:
    """Their number is no guess. A client that has many makes room for one that has few."""

    async def scene() -> None:
        door = Door(FEW, slots=1, known=False)
        for _ in range(1 + FEW.requests):
            await door.come(ticket("flood"))
        assert not door.errors
        await door.come(ticket("flood"))
        assert door.reasons == ["QUEUE_FULL"]
        await door.come(ticket("other"))
        assert door.reasons == 2 * ["QUEUE_FULL"]
        await door.leave()
        await door.leave()
        assert not door.errors[2:]

    run(scene)


def test_what_is_measured_counts_from_the_first_answer_on() -> None:
    """Then the same deadline is refused at once."""

    async def scene() -> None:
        door = Door(known=False)
        await door.come(ticket())
        await door.leave(COST)
        await door.come(ticket(shape=HUGE), timeout=1e-3)
        assert door.reasons == ["DEADLINE_TOO_SHORT"]

    run(scene)


def test_of_the_first_answers_the_quickest_counts() -> None:
    """The others also worked out what is then kept, so they say little about those that follow."""
    averages, asked = CostAverages(), ticket("one", Priority.INTERACTIVE, SHAPE)
    for seconds in (20 * COST, 3 * COST, *(FIRST_ANSWERS - 2) * [2 * COST]):
        averages.note(asked, seconds, over=-1.0)
    assert averages.seconds(asked, 1.0) == pytest.approx(2 * COST)
    # Later ones move the average, in both directions.
    for _ in range(100):
        averages.note(asked, 4 * COST, over=-1.0)
    assert averages.seconds(asked, 1.0) == pytest.approx(4 * COST, rel=0.01)
