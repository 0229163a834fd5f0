"""The port through which an executor is told which requests may begin."""

from __future__ import annotations

from typing import Protocol

from sequela.api.admission.ticket import Ticket
from sequela.concurrency.deadline import Deadline


class Slots(Protocol):
    """Admits requests, one for each thread of an executor. Must be used from a single event loop."""

    async def enter(self, ticket: Ticket | None, deadline: Deadline) -> None:
        """Waits until the request may begin. It then has a slot, until `leave` is called with its deadline.

        Raises:
            Overloaded: QUEUE_FULL.
            OutOfTime: DEADLINE_TOO_SHORT, or DEADLINE_SPENT_WAITING.
            Unavailable: DRAINING.
        """

    def leave(self, deadline: Deadline, seconds: float, error: BaseException | None) -> None:
        """Gives a slot back. The work took `seconds`, and ended with `error`, if it failed."""

    def close(self) -> None:
        """Refuses all waiting requests, and all later ones."""
