"""The two queues: interactive requests go first, and bulk work gets a small share and all time that is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sequela.api.admission.client_queue import ClientQueue
from sequela.api.admission.priority import Priority
from sequela.api.admission.waiting_request import WaitingRequest

BULK_SHARE = 0.1
"""The share of the time that bulk work gets while interactive requests wait, so that it ends at some time."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may wait.

    Attributes:
        requests: The most requests in each queue.
        interactive_seconds: The most work of interactive requests, in seconds for each core.
        bulk_seconds: The same of bulk requests.
    """

    requests: int
    interactive_seconds: float
    bulk_seconds: float

    def seconds(self, priority: Priority) -> float:
        """Returns the most work in a queue, in seconds for each core."""
        return self.interactive_seconds if priority is Priority.INTERACTIVE else self.bulk_seconds


class WaitingQueues:
    """The requests that wait. Must be used from a single thread."""

    def __init__(self) -> None:
        self._queues = {priority: ClientQueue() for priority in Priority}
        self._bulk_credit = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[WaitingRequest]:
        for queue in self._queues.values():
            yield from queue

    def of(self, priority: Priority) -> ClientQueue:
        """Returns one of the queues."""
        return self._queues[priority]

    def add(self, request: WaitingRequest) -> None:
        """Adds a request."""
        self.of(request.ticket.priority).add(request)

    def remove(self, request: WaitingRequest) -> bool:
        """Removes a request. Returns whether it was there."""
        return self.of(request.ticket.priority).remove(request)

    def pop(self) -> WaitingRequest:
        """Removes the request whose turn it is. Raises IndexError if there is none."""
        interactive, bulk = self.of(Priority.INTERACTIVE), self.of(Priority.BULK)
        if bulk and (not interactive or self._bulk_credit >= 0):
            request = bulk.pop()
            # What it takes while nobody else waits is its share too, but it never owes more than that.
            self._bulk_credit = (self._bulk_credit if interactive else 0.0) - request.cost
            return request
        request = interactive.pop()
        # While bulk work waits, it earns its share of the time that interactive requests take. It saves none for later.
        self._bulk_credit += BULK_SHARE * request.cost / (1 - BULK_SHARE)
        if not bulk:
            self._bulk_credit = min(self._bulk_credit, 0.0)
        return request

    def forgive(self) -> None:
        """Bulk work owes nothing any more, because nothing waits or runs."""
        self._bulk_credit = 0.0

    def seconds_before(
        self, client: str, priority: Priority, cost: float, gone: WaitingRequest | None = None
    ) -> float:
        """Returns about how much work is done before a new request that costs this much, in seconds of one core.

        A waiting request of the same priority that is `gone` does not count, since it would be refused.
        """
        interactive = self.of(Priority.INTERACTIVE)
        before = self.of(priority).seconds_before(client, cost, gone)
        if priority is Priority.INTERACTIVE:
            return before + min(self.of(Priority.BULK).seconds, BULK_SHARE * before)
        # Further interactive requests are expected to come in the meantime, so bulk work only gets its share.
        return before / BULK_SHARE if interactive else before
