"""All that goes to one endpoint, whoever asks: its terms, its switch, its breaker, its lanes, and what calls take."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.concurrency_window import CallTimes, ConcurrencyWindow
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.row_limits import RowRate, RowsInFlight
from sequela.concurrency.circuit_breaker import CircuitBreaker
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.concurrency.worker_pool import WorkerPool
from sequela.errors import Forbidden, Overloaded, SequelaError, Unavailable
from sequela.explain.ports import Observer, TryAgain
from sequela.explain.telemetry import CircuitState, EndpointCalled, EndpointWindow

T = TypeVar("T")

OPENS_AFTER = 5
"""Failures in a row, each of calls begun after the one before, from which on the breaker is open."""
LATE = 5.0
"""Times what a call should take, and"""
LATE_SECONDS = 1.0
"""seconds, from both of which on a call without an answer has not come through, whatever deadline it had."""


class ProbeTarget(Protocol):
    """What can tell whether the endpoint is there."""

    def ready(self) -> bool:
        """Whether it would take calls now."""

    def close(self) -> None:
        """Ends the connection."""


class Limiter:
    """Safe to call from several threads at once. Its threads end when nothing refers to it any more.

    label: what metrics call it; place: what messages do. rest: seconds between looks at an endpoint that is down.
    `lines`: those that go there now.
    """

    def __init__(self, label: str, place: str, terms: EndpointTerms, observer: Observer, rest: float) -> None:
        self.label, self.terms = label, terms
        self._place = place
        self.lines: WeakSet[ProbeTarget] = WeakSet()
        self._observer, self.rest = observer, rest
        self._meter = CallTimes()
        self._rate, self._in_flight = RowRate(), RowsInFlight()
        self._lock = threading.Lock()
        self._window = ConcurrencyWindow(terms.max_calls)
        self._pool = WorkerPool(terms.max_calls, name="endpoint")
        self._pool.resize(self._window.size)
        self._failures, self._failed_at = 0, -math.inf
        tell = _Teller(label, observer)
        self._breaker = CircuitBreaker(partial(_any_ready, self.lines), tell, rest, "endpoint-probe")
        self._end = weakref.finalize(self, _end, self._pool, self._breaker)

    def run(self, jobs: Iterable[Callable[[], T]], deadline: Deadline, until: float) -> list[T]:
        """As `Endpoint.run`."""
        return self._pool.run(jobs, partial(deadline.check, until))

    @property
    def lanes(self) -> int:
        """As `Endpoint.lanes`."""
        return self._pool.width

    def seconds(self, rows: int) -> float:
        """As `Endpoint.seconds`."""
        return self._meter.seconds(rows)

    def check(self) -> None:
        """Raises Forbidden (ENDPOINT_OFF) and Unavailable (ENDPOINT_UNAVAILABLE)."""
        if not self.terms.enabled:
            raise Forbidden("ENDPOINT_OFF", f"the operator has switched off {self._place}")
        if why := self._breaker.why_open:
            raise Unavailable("ENDPOINT_UNAVAILABLE", f"the endpoint is down: {why}", retry_after=self.rest)

    @contextmanager
    def admitted(self, rows: int, deadline: Deadline, until: float) -> Iterator[None]:
        """As `Endpoint.admitted`."""
        self.check()
        self._rate.wait(rows, self.terms.max_rows_per_second, deadline, until)
        with self._in_flight.held(rows, self.terms.max_rows_in_flight, deadline, until):
            self.check()  # it may have gone down, or been switched off, meanwhile
            yield

    def call(
        self, rows: int, until: float, ask: Callable[[float], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Makes one call, and learns from it. `ask` is told when it must have its answer, on the monotonic clock.

        Raises what `Transport.infer` raises, and Unavailable where the call came to the limit of one call.
        """
        start = Deadline.now()
        limit = start + self.terms.call_seconds
        try:
            answer = ask(min(until, limit))
        except DeadlinePassed:
            self._tell(rows, start, "TIME_UP")
            if until <= limit:
                self._late(rows, start)
                raise
            silent = self._silent(self.terms.call_seconds, "the limit of one call")
            raise self._failed(silent, start) from None
        except TryAgain as error:
            self._note(error.error, rows, start)
            raise
        except SequelaError as error:
            self._note(error, rows, start)
            raise
        self._worked(rows, Deadline.now() - start)
        self._tell(rows, start, "ok")
        return answer

    def amend(self, terms: EndpointTerms) -> bool:
        """Other terms from now on. False, and nothing done, where they allow more calls than there are workers."""
        if terms.max_calls > self._pool.workers:
            return False
        with self._lock:
            self.terms = terms
            self._window.limit(terms.max_calls)
            self._apply()
        return True

    def close(self) -> None:
        """Ends its threads and connections; calls that wait or are under way fail."""
        self._end()
        for line in tuple(self.lines):
            line.close()

    def _note(self, error: SequelaError, rows: int, start: float) -> None:
        """An endpoint that says no is there."""
        self._tell(rows, start, error.reason)
        if isinstance(error, Unavailable):
            self._failed(error, start)
            return
        self._came_through()
        if isinstance(error, Overloaded):
            self._shrink(start)

    def _tell(self, rows: int, start: float, outcome: str) -> None:
        self._observer.notice(EndpointCalled(self.label, rows, Deadline.now() - start, outcome))

    def _worked(self, rows: int, seconds: float) -> None:
        self._meter.add(rows, seconds)
        self._came_through()
        with self._lock:
            self._window.worked(rows, seconds, Deadline.now())
            self._apply()

    def _came_through(self) -> None:
        """The endpoint is there, whatever it said."""
        self._failures = 0
        self._breaker.succeed()

    def _failed(self, error: SequelaError, start: float) -> SequelaError:
        if self._shrink(start):
            self._failures += 1
        if self._failures >= OPENS_AFTER:
            self._breaker.fail(error.message)
        return error

    def _shrink(self, start: float) -> bool:
        """False for a call that was under way already when another one failed: what ends together, as with a lost
        connection, tells one thing.
        """
        with self._lock:
            if start <= self._failed_at:
                return False
            self._failed_at = Deadline.now()
            self._window.failed()
            self._apply()
            return True

    def _late(self, rows: int, start: float) -> None:
        """A deadline came first. That the endpoint is slow is only known where others were answered much sooner."""
        seconds = Deadline.now() - start
        if seconds > max(LATE * self._meter.seconds(rows), LATE_SECONDS):
            self._failed(self._silent(seconds, "until a deadline"), start)

    def _silent(self, seconds: float, why: str) -> Unavailable:
        text = f"{self._place} did not answer within {seconds:.3g} s, {why}"
        return Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=self.rest)

    def _apply(self) -> None:
        if self._window.size != self._pool.width:
            self._pool.resize(self._window.size)
            self._observer.notice(EndpointWindow(self.label, self._window.size))


class _Teller:
    """Tells observers what the breaker does. Knows no traffic, so that nothing keeps that alive."""

    def __init__(self, label: str, observer: Observer) -> None:
        self._label, self._observer = label, observer

    def __call__(self, closed: bool, why: str) -> None:
        self._observer.notice(CircuitState(self._label, closed, why))


def _any_ready(lines: WeakSet[ProbeTarget]) -> bool:
    return any(line.ready() for line in tuple(lines))


def _end(pool: WorkerPool, breaker: CircuitBreaker) -> None:
    pool.close()
    breaker.close()
