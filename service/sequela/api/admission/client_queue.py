"""A queue in which clients take turns: deficit round robin, in seconds of a core."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from sequela.api.admission.waiting_request import WaitingRequest


@dataclass(slots=True)
class _Line:
    """The requests of one client, and how much of a core's time it may use before the next client's turn."""

    requests: deque[WaitingRequest] = field(default_factory=deque)
    seconds: float = 0.0
    credit: float = 0.0


class ClientQueue:
    """Requests of many clients, of which each gets the same share of time. Must be used from a single thread.

    However many requests one client has, another client waits for no more of its work than about as much as it has
    itself.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._count = 0
        self._seconds = 0.0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[WaitingRequest]:
        for line in self._lines.values():
            yield from line.requests

    @property
    def seconds(self) -> float:
        """The work of all requests, in seconds of one core. Other threads may read it."""
        return self._seconds

    @property
    def oldest_since(self) -> float | None:
        """When the request came that has waited for the longest time; None if there is none."""
        return min((line.requests[0].since for line in self._lines.values()), default=None)

    def seconds_before(self, client: str, cost: float, gone: WaitingRequest | None = None) -> float:
        """Returns about how much work is done before a new request of a client that costs this much.

        Args:
            client: The client.
            cost: What the new request costs, in seconds of one core.
            gone: A waiting request of another client that does not count, since it would be refused.
        """
        own = self._lines.get(client)
        turn = (own.seconds if own else 0.0) + cost
        lines = {name: line.seconds for name, line in self._lines.items()}
        if gone is not None:
            lines[gone.ticket.client] -= gone.cost
        return sum(min(seconds, turn) for seconds in lines.values())

    def add(self, request: WaitingRequest) -> None:
        """Adds a request behind those of the same client."""
        line = self._lines.setdefault(request.ticket.client, _Line())
        line.requests.append(request)
        line.seconds += request.cost
        self._seconds += request.cost
        self._count += 1

    def pop(self) -> WaitingRequest:
        """Removes the request whose turn it is. Raises IndexError if there is none."""
        if not self._lines:
            raise IndexError("the queue is empty")
        # With this quantum for each turn, one round is enough to find a client whose credit suffices.
        quantum = max(line.requests[0].cost for line in self._lines.values())
        while True:
            client, line = next(iter(self._lines.items()))
            if line.credit >= line.requests[0].cost:
                request = line.requests[0]
                line.credit -= request.cost
                self._drop(client, line, request)
                return request
            line.credit += quantum
            self._lines.move_to_end(client)

    def remove(self, request: WaitingRequest) -> bool:
        """Removes a request. Returns whether it was in the queue."""
        client = request.ticket.client
        line = self._lines.get(client)
        if line is None or request not in line.requests:
            return False
        self._drop(client, line, request)
        return True

    def newest_of_largest(self, client: str, cost: float) -> WaitingRequest | None:
        """Returns the newest request of the client that has the most work here.

        None if `client`, with a new request that costs this much, would have more than half as much work as that one.
        Between clients with similar amounts of work, requests that already wait keep their places.
        """
        if not self._lines:
            return None
        largest, line = max(self._lines.items(), key=lambda item: item[1].seconds)
        own = self._lines.get(client)
        if largest == client or 2 * ((own.seconds if own else 0.0) + cost) > line.seconds:
            return None
        return line.requests[-1]

    def _drop(self, client: str, line: _Line, request: WaitingRequest) -> None:
        line.requests.remove(request)
        line.seconds -= request.cost
        self._count -= 1
        # An empty queue has exactly 0 seconds, without rounding errors.
        self._seconds = self._seconds - request.cost if self._count else 0.0
        # A client without requests does not save credit for later.
        if not line.requests:
            del self._lines[client]
