"""Clients take turns, however many requests one has; bulk work gets what interactive work leaves, and a tenth."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from sequela.api.admission.client_queue import ClientQueue
from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import ScoreShape
from sequela.api.admission.ticket import Ticket
from sequela.api.admission.waiting_queues import WaitingQueues
from sequela.api.admission.waiting_request import WaitingRequest
from sequela.concurrency.deadline import Deadline


def waiting(client: str, cost: float = 1.0, priority: Priority = Priority.INTERACTIVE) -> WaitingRequest:
    turn: Any = asyncio.Future(loop=asyncio.new_event_loop())
    turn.get_loop().close()
    ticket = Ticket(client, priority, "digest", ScoreShape(1))
    return WaitingRequest(ticket, Deadline(), cost, cost, 0.0, turn)


def filled(**counts: int) -> ClientQueue:
    queue = ClientQueue()
    for client, count in counts.items():
        for _ in range(count):
            queue.add(waiting(client))
    return queue


def test_clients_take_turns() -> None:
    """Of one with many requests and two with a few, each gets every third turn as long as it has some."""
    queue = filled(flood=100, one=5, two=5)
    first = Counter(queue.pop().ticket.client for _ in range(15))
    assert first == {"flood": 5, "one": 5, "two": 5}
    assert len(queue) == 95


def test_turns_are_measured_in_time() -> None:
    """A client with requests of a tenth of the cost gets ten of them for one of the other's."""
    queue = ClientQueue()
    for _ in range(100):
        queue.add(waiting("small", 0.1))
        queue.add(waiting("large", 1.0))
    seconds = Counter[str]()
    for _ in range(66):
        request = queue.pop()
        seconds[request.ticket.client] += request.cost  # type: ignore[assignment]
    assert seconds["small"] == pytest.approx(seconds["large"], abs=1.1)


def test_the_order_of_one_client_is_kept() -> None:
    """First in, first out."""
    queue = ClientQueue()
    requests = [waiting("one", cost) for cost in (3.0, 1.0, 2.0)]
    for request in requests:
        queue.add(request)
    assert [queue.pop() for _ in requests] == requests
    with pytest.raises(IndexError):
        queue.pop()


def test_work_before_a_request_is_bounded_by_its_own() -> None:
    """A client without requests waits for one of each other client, and not for all of the one that floods."""
    queue = filled(flood=100, one=2)
    assert queue.seconds_before("new", 1.0) == 2.0
    assert queue.seconds_before("one", 1.0) == 2.0 + 3.0
    assert queue.seconds_before("flood", 1.0) == 102.0


def test_who_makes_room() -> None:
    """The newest request of the client with the most work, unless that is the one who comes."""
    queue = filled(flood=10, one=2)
    newest = waiting("flood")
    queue.add(newest)
    assert queue.newest_of_largest("one", 1.0) is newest
    assert queue.newest_of_largest("flood", 1.0) is None
    assert queue.newest_of_largest("one", 3.5) is newest
    assert queue.newest_of_largest("one", 3.6) is None
    assert queue.remove(newest)
    assert not queue.remove(newest)
    assert queue.seconds == 12.0


def test_interactive_requests_go_first_and_bulk_gets_a_tenth() -> None:
    """As long as both wait; then bulk gets all."""
    queues = WaitingQueues()
    for _ in range(90):
        queues.add(waiting("one"))
    for _ in range(30):
        queues.add(waiting("two", priority=Priority.BULK))
    order = [queues.pop().ticket.priority for _ in range(120)]
    assert Counter(order[:100]) == {Priority.INTERACTIVE: 90, Priority.BULK: 10}
    assert set(order[100:]) == {Priority.BULK}


def test_bulk_work_that_nobody_had_to_wait_for_is_its_share() -> None:
    """After it, interactive requests go first again, until bulk work has waited for its tenth. It owes no more."""
    queues = WaitingQueues()
    for _ in range(20):
        queues.add(waiting("two", priority=Priority.BULK))
    for _ in range(5):
        assert queues.pop().ticket.priority is Priority.BULK
    for _ in range(20):
        queues.add(waiting("one"))
    order = [queues.pop().ticket.priority for _ in range(11)]
    assert order == [*[Priority.INTERACTIVE] * 9, Priority.BULK, Priority.INTERACTIVE]


def test_bulk_work_one_at_a_time_gets_no_more() -> None:
    """A bulk request that comes whenever there is none waits until others have used nine tenths."""
    queues, order = WaitingQueues(), []
    for _ in range(200):
        queues.add(waiting("one"))
    for _ in range(100):
        if not queues.of(Priority.BULK):
            queues.add(waiting("two", priority=Priority.BULK))
        order.append(queues.pop().ticket.priority)
    assert Counter(order)[Priority.BULK] in (10, 11)
