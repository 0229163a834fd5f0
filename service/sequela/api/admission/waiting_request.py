"""A request that waits until it may begin."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sequela.api.admission.ticket import Ticket
from sequela.concurrency.deadline import Deadline


@dataclass(frozen=True, slots=True, eq=False)
class WaitingRequest:
    """A request in a queue.

    Attributes:
        ticket: What is known of it.
        deadline: Its deadline.
        cost: How long it is expected to take one core, in seconds.
        least: How long its roughest answer takes, in seconds.
        since: When it arrived, in seconds of the monotonic clock.
        turn: Is done when the request may begin, or has the error with which it is refused.
    """

    ticket: Ticket
    deadline: Deadline
    cost: float
    least: float
    since: float
    turn: asyncio.Future[None]
