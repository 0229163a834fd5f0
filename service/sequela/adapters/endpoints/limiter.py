"""Limits all calls to one endpoint: its switch, circuit breaker, rate and concurrency limits."""

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
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.row_limits import RowRate, RowsInFlight
from sequela.concurrency.circuit_breaker import CircuitBreaker
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.concurrency.worker_pool import WorkerPool
from sequela.errors import Forbidden, Overloaded, SequelaError, Unavailable
from sequela.explain.ports import Observer
from sequela.explain.telemetry import CircuitState, EndpointCalled, EndpointWindow

T = TypeVar("T")

MAX_FAILURES = 5
"""The number of consecutive failures that opens the circuit breaker. Calls in flight together count as one."""
LATE_FACTOR = 5.0
"""A call that a deadline ended counts as failed only if it took this many times as long as expected."""
LATE_SECONDS = 1.0
"""Such a call must also have taken at least this many seconds."""


class ProbeTarget(Protocol):
    """A connection through which the circuit breaker checks whether the endpoint is available again."""

    def ready(self) -> bool:
        """Returns whether the endpoint would take calls now."""

    def close(self) -> None:
        """Closes its connection."""


class Limiter:
    """Limits the calls to one endpoint. Thread-safe.

    Its threads end when it is garbage collected.

    Attributes:
        label: The endpoint's name in metrics.
        terms: The operator's current terms.
        retry_seconds: The time between probes of an endpoint that is down, and after which callers should retry.
        connections: The open connections to the endpoint.
    """

    def __init__(
        self, label: str, uri: str, terms: EndpointTerms, observer: Observer, retry_seconds: float
    ) -> None:
        self.label, self.terms, self.retry_seconds = label, terms, retry_seconds
        self.connections: WeakSet[ProbeTarget] = WeakSet()
        self._uri, self._observer = uri, observer
        self._call_times = CallTimes()
        self._rate, self._in_flight = RowRate(), RowsInFlight()
        self._lock = threading.Lock()
        self._window = ConcurrencyWindow(terms.max_calls)
        # The pool has threads for the most calls. The window decides how many of them are used.
        self._pool = WorkerPool(terms.max_calls, name="endpoint")
        self._pool.resize(self._window.size)
        self._failures, self._last_failure = 0, -math.inf
        report = _BreakerReport(label, observer)
        probe = partial(_any_ready, self.connections)
        self._breaker = CircuitBreaker(probe, report, retry_seconds, "endpoint-probe")
        # The finalizer must not refer to the limiter, which would keep it alive forever.
        self._end = weakref.finalize(self, _end, self._pool, self._breaker)

    def run(self, jobs: Iterable[Callable[[], T]], deadline: Deadline, until: float) -> list[T]:
        """Runs jobs of one call each, as many concurrently as keep the endpoint busy, taking turns with other requests.

        Results and errors are as in `WorkerPool.run`. Also raises DeadlinePassed and Cancelled while jobs wait for
        their turn.
        """
        return self._pool.run(jobs, partial(deadline.check, until))

    @property
    def concurrency(self) -> int:
        """The number of calls that may be in flight at present."""
        return self._pool.width

    def call_seconds(self, rows: int) -> float:
        """Estimates the time of a call with `rows` rows in seconds, from recent calls; 0 before the first one."""
        return self._call_times.seconds(rows)

    def check(self) -> None:
        """Raises Forbidden (ENDPOINT_OFF) if the operator has disabled the endpoint, and Unavailable
        (ENDPOINT_UNAVAILABLE) while the circuit breaker is open.
        """
        if not self.terms.enabled:
            raise Forbidden("ENDPOINT_OFF", f"the operator has switched off {self._uri}")
        if why := self._breaker.why_open:
            text = f"the endpoint is down: {why}"
            raise Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=self.retry_seconds)

    @contextmanager
    def admit(self, rows: int, deadline: Deadline, until: float) -> Iterator[None]:
        """Waits until `rows` rows may be sent, and counts them as in flight until the context exits.

        Raises:
            DeadlinePassed: The rows may not be sent before `until`.
            Cancelled: The caller cancelled the request.
            Forbidden, Unavailable: As `check`.
        """
        self.check()
        self._rate.wait(rows, self.terms.max_rows_per_second, deadline, until)
        with self._in_flight.hold(rows, self.terms.max_rows_in_flight, deadline, until):
            self.check()  # it may have gone down, or been switched off, meanwhile
            yield

    def call(
        self, rows: int, until: float, infer: Callable[[float], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Makes one call, measures it, and adapts the limits to how it ends.

        Args:
            rows: The number of rows in the call.
            until: When the answer is needed, on the monotonic clock.
            infer: Makes the call. It gets the time by which the call must end.

        Raises:
            Unavailable: The call took longer than one call may; or as `infer`.
            SequelaError, RetryableError, DeadlinePassed: As `infer`.
        """
        start = Deadline.now()
        limit = start + self.terms.call_seconds
        try:
            answer = infer(min(until, limit))
        except DeadlinePassed:
            # If the caller's own deadline came first, the endpoint need not be at fault.
            self._report(rows, start, "DEADLINE_PASSED")
            if until <= limit:
                self._note_deadline(rows, start)
                raise
            error = self._no_answer(self.terms.call_seconds, "the limit for one call")
            self._note_failure(error.message, start)
            raise error from None
        except RetryableError as error:
            self._note_error(error.error, rows, start)
            raise
        except SequelaError as error:
            self._note_error(error, rows, start)
            raise
        self._note_answer(rows, Deadline.now() - start)
        self._report(rows, start, "ok")
        return answer

    def amend(self, terms: EndpointTerms) -> bool:
        """Replaces the terms. Returns False, and changes nothing, if they allow more concurrent calls than the limiter
        was created for.
        """
        if terms.max_calls > self._pool.workers:
            return False
        with self._lock:
            self.terms = terms
            self._window.set_max_calls(terms.max_calls)
            self._apply_window()
        return True

    def close(self) -> None:
        """Ends threads and connections. Calls that are waiting or in flight fail."""
        self._end()
        for connection in tuple(self.connections):
            connection.close()

    def _report(self, rows: int, start: float, outcome: str) -> None:
        self._observer.notice(EndpointCalled(self.label, rows, Deadline.now() - start, outcome))

    def _note_answer(self, rows: int, seconds: float) -> None:
        self._call_times.add(rows, seconds)
        self._note_alive()
        with self._lock:
            self._window.record_answer(rows, seconds, Deadline.now())
            self._apply_window()

    def _note_error(self, error: SequelaError, rows: int, start: float) -> None:
        """Records an error. An endpoint that refuses a call is alive; one that is unavailable has failed."""
        self._report(rows, start, error.reason)
        if isinstance(error, Unavailable):
            self._note_failure(error.message, start)
            return
        self._note_alive()
        if isinstance(error, Overloaded):
            self._shrink_window(start)

    def _note_alive(self) -> None:
        self._failures = 0
        self._breaker.succeed()

    def _note_failure(self, message: str, start: float) -> None:
        if self._shrink_window(start):
            self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._breaker.fail(message)

    def _note_deadline(self, rows: int, start: float) -> None:
        """Records a call that a deadline ended. It only counts as a failure if calls are usually much faster."""
        seconds = Deadline.now() - start
        if seconds > max(LATE_FACTOR * self.call_seconds(rows), LATE_SECONDS):
            self._note_failure(self._no_answer(seconds, "when a deadline ended the call").message, start)

    def _shrink_window(self, start: float) -> bool:
        """Halves the window. Returns False, and does nothing, for a call that started before the last failure: calls
        that fail together, for example because they share a connection, count as one failure.
        """
        with self._lock:
            if start <= self._last_failure:
                return False
            self._last_failure = Deadline.now()
            self._window.record_failure()
            self._apply_window()
            return True

    def _apply_window(self) -> None:
        if self._window.size != self._pool.width:
            self._pool.resize(self._window.size)
            self._observer.notice(EndpointWindow(self.label, self._window.size))

    def _no_answer(self, seconds: float, why: str) -> Unavailable:
        text = f"{self._uri} did not answer within {seconds:.3g} s, {why}"
        return Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=self.retry_seconds)


class _BreakerReport:
    """Notifies observers when the breaker opens or closes. It does not keep the limiter alive."""

    def __init__(self, label: str, observer: Observer) -> None:
        self._label, self._observer = label, observer

    def __call__(self, closed: bool, why: str) -> None:
        self._observer.notice(CircuitState(self._label, closed, why))


def _any_ready(connections: WeakSet[ProbeTarget]) -> bool:
    return any(connection.ready() for connection in tuple(connections))


def _end(pool: WorkerPool, breaker: CircuitBreaker) -> None:
    pool.close()
    breaker.close()
