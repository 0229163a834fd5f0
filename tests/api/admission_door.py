"""Slots for explanations, and requests that come and go. Nobody works here; slots are only held.

In virtual time, because estimates of what waits depend on how long requests have been at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import pytest
from adapters.store.store_samples import Heard
from api.virtual_time import play
from sequela.api.admission.admission import AdmissionSlots
from sequela.api.admission.brownout import Brownout
from sequela.api.admission.cost import estimated_seconds
from sequela.api.admission.cost_averages import CostAverages
from sequela.api.admission.priority import Priority
from sequela.api.admission.request_shape import ExplainShape, RequestShape
from sequela.api.admission.ticket import Ticket
from sequela.api.admission.waiting_queues import QueueLimits
from sequela.concurrency.deadline import Deadline
from sequela.errors import SequelaError

T = TypeVar("T")
SHAPE = ExplainShape(events=50, columns=10)
COST = estimated_seconds(SHAPE)
LARGE = ExplainShape(events=500, columns=100)
HUGE = ExplainShape(events=10_000, columns=4_000)
SLOW = ExplainShape(events=2_000, columns=300)
LIMITS = QueueLimits(requests=64, interactive_seconds=60.0, bulk_seconds=60.0)


def ticket(
    client: str = "one", priority: Priority = Priority.INTERACTIVE, shape: RequestShape = SHAPE
) -> Ticket:
    return Ticket(client, priority, "digest", shape)


class Door:
    """Slots, and the requests that have entered or were refused. If `known`, a request takes what is estimated."""

    def __init__(
        self, limits: QueueLimits = LIMITS, slots: int = 2, brownout: bool = True, known: bool = True
    ) -> None:
        self.heard = Heard()
        self.brownout = Brownout(Deadline.now()) if brownout else None
        averages = CostAverages()
        if known:
            averages.note(ticket(), COST, over=-1.0)
        self.slots = AdmissionSlots(slots, slots, limits, self.heard, Random(1), self.brownout, averages)
        self.inside: list[tuple[Ticket, Deadline]] = []
        self.errors: list[SequelaError] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, each: Ticket, timeout: float = 60.0, conclusion: float = 0.0) -> None:
        """Lets a request come, and lets all others do what they can."""
        deadline = Deadline(timeout, conclusion=conclusion)
        self._tasks.append(asyncio.create_task(self._enter(each, deadline)))
        await self.rest()

    async def leave(self, seconds: float = COST, error: BaseException | None = None) -> Ticket:
        """Lets the first request that is inside leave."""
        gone, deadline = self.inside.pop(0)
        self.slots.leave(deadline, seconds, error)
        await self.rest()
        return gone

    async def rest(self) -> None:
        """Lets all tasks do what they can."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def _enter(self, each: Ticket, deadline: Deadline) -> None:
        try:
            await self.slots.enter(each, deadline)
            self.inside.append((each, deadline))
        except SequelaError as error:
            self.errors.append(error)

    @property
    def reasons(self) -> list[str]:
        """Why requests were refused."""
        return [error.reason for error in self.errors]


def run(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Plays a scene in virtual time."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return play(scene(), monkeypatch)
