"""Admission by cost: a request is admitted if it can be answered in time, and refused at once if not."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from random import Random

from sequela.api.admission.brownout import BULK_ALONE, Brownout, threshold_seconds
from sequela.api.admission.cost_averages import CostAverages
from sequela.api.admission.priority import Priority
from sequela.api.admission.refusals import MIN_RETRY_SECONDS, queue_full, spent_waiting, too_short
from sequela.api.admission.request_shape import ExplainShape, RequestShape
from sequela.api.admission.ticket import Ticket
from sequela.api.admission.time_shares import Demand, TimeShare, fair_share
from sequela.api.admission.waiting_queues import QueueLimits, WaitingQueues
from sequela.api.admission.waiting_request import WaitingRequest
from sequela.api.drain_gate import draining_error
from sequela.concurrency.deadline import Deadline
from sequela.errors import OutOfTime, SequelaError
from sequela.explain.ports import Observer
from sequela.explain.telemetry import RequestBegun

MAX_JITTER = 0.5
"""A random part of up to this share is added to the time that refused callers wait, so that they do not return at once.
"""
MAX_RETRY_SECONDS = 20.0
"""The longest time, in seconds, that a refused caller waits, without the random part. Others may leave sooner."""
WAIT_SHARE = 0.02
"""The share of its time left that a request may always wait, however overloaded the server is."""
CERTAIN_SHARE = 0.5
"""A request is refused if its time left is less than this share of what its roughest answer is expected to take."""
WAITS_FOR = "other explanations"


@dataclass(slots=True, eq=False)
class RunningRequest:
    """A request that has begun.

    Attributes:
        request: The request.
        started: When it began, in seconds of the monotonic clock.
        share_seconds: How long it may take.
    """

    request: WaitingRequest
    started: float
    share_seconds: float

    def rest(self, now: float) -> float:
        """Returns how much longer it is expected to take, in seconds of one core."""
        return max(min(self.request.cost, self.share_seconds) - (now - self.started), 0.0)


class AdmissionSlots:
    """Implements `Slots` for explanations. Must be used from a single event loop.

    Args:
        slots: How many requests run at a time.
        cores: How many cores they share.
        limits: How much may wait.
        observer: Receives how long requests waited.
        random: Spreads retries.
        brownout: Makes answers rougher under load; None to answer all requests in full.
        averages: What requests took so far.
    """

    def __init__(
        self,
        slots: int,
        cores: int,
        limits: QueueLimits,
        observer: Observer,
        random: Random,
        brownout: Brownout | None,
        averages: CostAverages | None = None,
    ) -> None:
        self._slots, self._cores = slots, max(1, min(slots, cores))
        self._limits, self._observer, self._random = limits, observer, random
        self._brownout = brownout
        self._averages = averages or CostAverages()
        self._waiting = WaitingQueues()
        self._running: dict[Deadline, RunningRequest] = {}
        self._free_since = Deadline.now()
        self._open = True

    @property
    def slots(self) -> int:
        """How many requests run at a time."""
        return self._slots

    @property
    def brownout_level(self) -> int:
        """How much rougher answers are at present (`Brownout.level`). Other threads may read it."""
        if self._brownout is None:
            return 0
        if len(self._waiting):
            return self._brownout.level
        return self._brownout.level_when_idle(Deadline.now(), self._averages.service_seconds)

    def backlog_seconds(self, priority: Priority) -> float:
        """Returns how long one core needs for all requests that wait or run. Other threads may call it."""
        now, running = Deadline.now(), tuple(self._running.values())
        rest = sum(each.rest(now) for each in running if _priority(each.request) is priority)
        return self._waiting.of(priority).seconds + rest

    async def enter(self, ticket: Ticket | None, deadline: Deadline) -> None:
        """See `Slots`."""
        if ticket is None:
            raise ValueError("admission by cost needs a ticket")
        if not self._open:
            raise draining_error()
        self._advance(Deadline.now())
        request = self._request(ticket, deadline)
        self._check(request)
        self._waiting.add(request)
        self._begin_next()
        self._share_time()
        try:
            async with asyncio.timeout_at(deadline.end):
                await request.turn
        except TimeoutError:
            self._withdraw(request)
            raise spent_waiting(WAITS_FOR, self._retry_seconds(request)) from None
        except asyncio.CancelledError:
            self._withdraw(request)
            raise

    def leave(self, deadline: Deadline, seconds: float, error: BaseException | None) -> None:
        """See `Slots`."""
        running = self._end(deadline)
        ticket = running.request.ticket
        if error is None:
            over = max(seconds - running.share_seconds, deadline.now() - _due(ticket.shape, deadline))
            self._averages.note(ticket, seconds, over)
        elif deadline.gave_way and isinstance(error, OutOfTime):
            self._averages.note_too_short(ticket)
        self._begin_next()
        if not self._running:
            self._waiting.forgive()

    def close(self) -> None:
        """See `Slots`."""
        self._open = False
        for request in tuple(self._waiting):
            self._refuse(request, draining_error())

    def _request(self, ticket: Ticket, deadline: Deadline) -> WaitingRequest:
        cost = self._averages.seconds(ticket, self._factor(ticket))
        least = self._averages.least_seconds(ticket)
        turn = asyncio.get_running_loop().create_future()
        # A request cannot take longer than its deadline allows.
        cost = min(cost, max(deadline.remaining, least))
        return WaitingRequest(ticket, deadline, cost, min(cost, least), Deadline.now(), turn)

    def _check(self, request: WaitingRequest) -> None:
        """Raises the error if the request cannot be answered in time, or refuses another one to make room."""
        left = request.deadline.remaining
        # The cost is only an estimate, so a request is refused only if it falls clearly short of it.
        if left < CERTAIN_SHARE * request.least:
            raise too_short(left, request.least)
        if len(self._running) < self._slots and not self._waiting:
            return
        # Nothing is refused because of a cost that is only guessed, so the first requests are limited in number only.
        if not self._averages.is_measured(request.ticket):
            self._check_number(request)
            return
        # Another request is refused only after it is certain that this one is not refused itself.
        why = self._lack_of_room(request)
        other = self._other(request, why) if why else None
        wait = self._wait_seconds(request, other)
        least = wait
        # It looks at all that wait, so it is only worked out for a request that may be refused because of it.
        if wait + request.least > left and not self._goes_last(_priority(request)):
            least = self._least_wait_seconds(request, other)
        if least + request.least > left:
            text = f"requests before this one take {1000 * wait:.0f} ms, and {1000 * left:.0f} ms are left"
            raise self._full(text, request)
        if self._brownout and wait > self._patience_seconds(request):
            self._brownout.note_refusal()
            why = f"the server is overloaded, and this request would wait for {1000 * wait:.0f} ms"
            other = self._other(request, why)
        if other is not None:
            self._refuse(other, self._full(why, other))

    def _check_number(self, request: WaitingRequest) -> None:
        """Raises the error if too many requests wait, or refuses another one to make room."""
        count = len(self._waiting.of(_priority(request)))
        if count and count >= self._limits.requests:
            text = (
                f"{count} {_priority(request)} requests are waiting; at most {self._limits.requests} may wait"
            )
            other = self._other(request, text)
            self._refuse(other, self._full(text, other))

    def _goes_last(self, priority: Priority) -> bool:
        """Returns whether bulk work gets only its share, since interactive requests are expected to take the rest."""
        return priority is Priority.BULK and self._brownout is not None and self._brownout.level > BULK_ALONE

    def _lack_of_room(self, request: WaitingRequest) -> str:
        """Returns what is full; an empty string if the queue has room for the request."""
        priority = _priority(request)
        queue, seconds = self._waiting.of(priority), self._limits.seconds(priority) * self._cores
        if not queue or (len(queue) < self._limits.requests and queue.seconds + request.cost <= seconds):
            return ""
        text = f"{len(queue)} {priority} requests with {queue.seconds:.2f} s of work are waiting; at most "
        return f"{text}{self._limits.requests} requests and {seconds:g} s of work may wait"

    def _other(self, request: WaitingRequest, why: str) -> WaitingRequest:
        """Returns the newest request of the client that has the most work, if that is much more than this one has.

        Otherwise raises the error for this one. So a client that floods the server is refused, and other clients are
        not.
        """
        other = self._waiting.of(_priority(request)).newest_of_largest(request.ticket.client, request.cost)
        if other is None:
            raise self._full(why, request)
        return other

    def _wait_seconds(self, request: WaitingRequest, gone: WaitingRequest | None = None) -> float:
        """Returns how long a new request waits for its turn, not counting the waiting request `gone`."""
        now = Deadline.now()
        before = self._waiting.seconds_before(request.ticket.client, _priority(request), request.cost, gone)
        return (before + sum(each.rest(now) for each in self._running.values())) / self._cores

    def _least_wait_seconds(self, request: WaitingRequest, gone: WaitingRequest | None) -> float:
        """Returns how long the request waits if those that are due no later than it get the roughest answers."""
        end = request.deadline.end
        # The fair queue bounds the wait, too: of each other client, no more work goes first than this client has.
        most = self._waiting.seconds_before(request.ticket.client, _priority(request), request.cost, gone)
        waiting = (each for each in self._waiting if each is not gone)
        least = sum(each.least if each.deadline.end <= end else each.cost for each in waiting)
        now = Deadline.now()
        running = sum(
            min(each.rest(now), each.request.least if each.request.deadline.end <= end else each.rest(now))
            for each in self._running.values()
        )
        return (min(most, least) + running) / self._cores

    def _patience_seconds(self, request: WaitingRequest) -> float:
        """Returns how long the request may wait. Bulk work is meant to wait."""
        if self._brownout is None or _priority(request) is Priority.BULK:
            return math.inf
        usual = threshold_seconds(max(self._averages.service_seconds, request.cost))
        # A caller that allows a minute for the answer can wait for a second, also if that is longer than usual.
        return max(self._brownout.patience * usual, WAIT_SHARE * request.deadline.remaining)

    def _factor(self, ticket: Ticket) -> float:
        return self._brownout.factor(ticket.priority) if self._brownout else 1.0

    def _advance(self, now: float) -> None:
        if self._brownout:
            since = self._waiting.of(Priority.INTERACTIVE).oldest_since
            wait = None if since is None else now - since
            self._brownout.advance(now, wait, self._bulk_fill(), self._averages.service_seconds)

    def _bulk_fill(self) -> float:
        queue = self._waiting.of(Priority.BULK)
        seconds = self._limits.bulk_seconds * self._cores
        return max(len(queue) / max(self._limits.requests, 1), queue.seconds / seconds)

    def _begin_next(self) -> None:
        """Gives free slots to the requests whose turn it is."""
        now = Deadline.now()
        self._advance(now)
        while self._waiting and len(self._running) < self._slots:
            # Computed before the request leaves the queue, so that it is one of those that share the time.
            shares = self._fair_shares(now)
            request = self._waiting.pop()
            if request.turn.done():
                continue
            if request.deadline.remaining < CERTAIN_SHARE * request.least:
                self._refuse(request, spent_waiting(WAITS_FOR, self._retry_seconds(request)))
                continue
            self._begin(request, now, shares[_priority(request)])

    def _begin(self, request: WaitingRequest, now: float, share: TimeShare) -> None:
        ticket = request.ticket
        ticket.error_factor = self._factor(ticket)
        ticket.share_seconds = self._share_seconds(request, share)
        if self._brownout and ticket.priority is Priority.INTERACTIVE:
            self._brownout.note_wait(now - request.since)
        self._observer.notice(RequestBegun(ticket.priority, now - request.since))
        self._running[request.deadline] = RunningRequest(request, now, ticket.share_seconds)
        if self._brownout and len(self._running) == self._slots:
            self._brownout.note_idle(now - self._free_since)
        request.turn.set_result(None)

    def _end(self, deadline: Deadline) -> RunningRequest:
        """Frees the slot of a request."""
        if len(self._running) == self._slots:
            self._free_since = Deadline.now()
        return self._running.pop(deadline)

    def _fair_shares(self, now: float) -> dict[Priority, TimeShare]:
        """Returns the shares of time of interactive requests, which do not give way to bulk work, and of bulk work."""
        running = [Demand(each.request.deadline.end, each.rest(now)) for each in self._running.values()]
        urgent = [Demand(each.deadline.end, each.cost) for each in self._waiting.of(Priority.INTERACTIVE)]
        others = [Demand(each.deadline.end, each.cost) for each in self._waiting.of(Priority.BULK)]
        first = fair_share(urgent, running, self._cores, now)
        second = fair_share([*urgent, *others], running, self._cores, now) if others else first
        return {Priority.INTERACTIVE: first, Priority.BULK: second}

    def _share_time(self) -> None:
        """Limits the time of running requests, because one more request waits."""
        if self._waiting:
            shares = self._fair_shares(Deadline.now())
            for running in self._running.values():
                self._shorten(running, shares[_priority(running.request)])

    def _shorten(self, running: RunningRequest, share: TimeShare) -> None:
        """Limits the time of a running request, which always keeps the time for its roughest answer."""
        request = running.request
        seconds = self._share_seconds(request, share)
        if seconds < running.share_seconds:
            running.share_seconds = max(seconds, request.least)
            request.deadline.give_way(running.started + running.share_seconds)

    def _share_seconds(self, request: WaitingRequest, share: TimeShare) -> float:
        seconds = share.of(request.deadline.end)
        if seconds >= request.cost:
            return math.inf
        return max(seconds - self._averages.overtime_seconds(request.ticket), 0.0)

    def _withdraw(self, request: WaitingRequest) -> None:
        """Removes a request whose caller has gone or whose time is over. It may have got its slot just now."""
        if request.turn.done() and not request.turn.cancelled():
            request.turn.exception()  # otherwise asyncio would report an exception that was never retrieved
        if self._waiting.remove(request):
            return
        if request.deadline in self._running:
            self._end(request.deadline)
            self._begin_next()

    def _refuse(self, request: WaitingRequest, error: SequelaError) -> None:
        self._waiting.remove(request)
        if not request.turn.done():
            request.turn.set_exception(error)

    def _full(self, detail: str, request: WaitingRequest) -> SequelaError:
        return queue_full(detail, self._retry_seconds(request))

    def _retry_seconds(self, request: WaitingRequest) -> float:
        """Returns how many seconds a refused caller waits: until its turn would have come, plus a random part."""
        wait = min(max(self._wait_seconds(request), MIN_RETRY_SECONDS), MAX_RETRY_SECONDS)
        return wait * (1 + MAX_JITTER * self._random.random())


def _priority(request: WaitingRequest) -> Priority:
    return request.ticket.priority


def _due(shape: RequestShape, deadline: Deadline) -> float:
    """Returns when the work on a request must end. Scores alone have more time than levels."""
    return deadline.levels_end if isinstance(shape, ExplainShape) and shape.levels else deadline.end
