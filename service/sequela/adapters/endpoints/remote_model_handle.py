"""A remote model over time. Its description is requested first, periodically, and after answers that do not fit it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sequela.adapters.endpoints.connection import Connection
from sequela.adapters.endpoints.failures import RetryableError, backoff_seconds
from sequela.adapters.endpoints.remote_model import RemoteModelSource, open_model
from sequela.adapters.endpoints.transport import Description
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import Overloaded, SequelaError, Unavailable
from sequela.explain.limits import Limits
from sequela.explain.ports import RemoteModel


@dataclass(frozen=True, slots=True, eq=False)
class _CachedModel:
    """A description, the model opened from it, and the time (monotonic) until which both are cached."""

    description: Description
    model: RemoteModel
    until: float


@dataclass(slots=True, eq=False)
class RemoteModelHandle:
    """Returns the model as its endpoint describes it. Thread-safe: one thread requests the description, and the others
    wait for the result.

    Attributes:
        name: `models/m/versions/v`.
        source: The reference to the model.
        connection: The connection to its endpoint.
        limits: The limits for models.
        ttl_seconds: How long a description is cached.
        doubtful: Whether an answer did not fit the description, which is then requested again.
    """

    name: str
    source: RemoteModelSource
    connection: Connection
    limits: Limits
    ttl_seconds: float
    doubtful: bool = False
    _cached: _CachedModel | None = None
    _error: SequelaError | None = None
    _error_until: float = 0.0
    _refreshing: threading.Lock = field(default_factory=threading.Lock)

    def model(self, until: float) -> RemoteModel:
        """Returns the model as it is served now.

        Args:
            until: When it is needed, on the monotonic clock.

        Raises:
            DeadlinePassed: The endpoint did not describe it by then.
            InvalidInput: The description does not fit the schema.
            Forbidden: The endpoint is disabled.
            Unavailable: The endpoint is down.
            Overloaded, DoesNotFit: As `Transport.describe`.
        """
        self.connection.limiter.check()
        cached = self._cached
        if cached and Deadline.now() < cached.until and not self.doubtful:
            return cached.model
        with self._lock_refresh(until):
            # Another thread has refreshed the model while this one waited.
            if self._cached is not cached and self._cached:
                return self._cached.model
            if self._error and Deadline.now() < self._error_until:
                raise _copy(self._error)  # waiting threads get the error of the thread that made the request
            return self._refresh(until)

    def refresh(self, until: float) -> RemoteModel:
        """Requests the description and returns the model as it is served now. Raises as `model`."""
        with self._lock_refresh(until):
            return self._refresh(until)

    def report_mismatch(self) -> None:
        """Records that an answer did not fit the description, which may be out of date."""
        self.doubtful = True

    def _refresh(self, until: float) -> RemoteModel:
        try:
            description = self._describe(until)
        except (Unavailable, Overloaded) as error:
            # Waiting threads get this error too, instead of asking an endpoint that is down one after another.
            self._error = error
            self._error_until = Deadline.now() + self.connection.limiter.retry_seconds
            raise
        self._error = None
        cached = self._cached
        # The same description means the same model, which keeps what is known about its rows.
        if cached and cached.description == description:
            model = cached.model
        else:
            model = open_model(
                self.name, self.source, description, self.connection, self.limits, self.report_mismatch
            )
        self._cached = _CachedModel(description, model, Deadline.now() + self.ttl_seconds)
        self.doubtful = False
        return model

    def _describe(self, until: float) -> Description:
        terms = self.connection.limiter.terms
        limit = Deadline.now() + terms.call_seconds
        try:
            return self._retry_describe(min(until, limit), terms.attempts)
        except DeadlinePassed:
            if until <= limit:
                raise
            text = f"{self.source.uri} did not describe its model within {terms.call_seconds:g} s"
            retry_seconds = self.connection.limiter.retry_seconds
            raise Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=retry_seconds) from None

    def _retry_describe(self, until: float, attempts: int) -> Description:
        transport = self.connection.transport
        for failures in range(1, attempts):
            try:
                return transport.describe(until)
            except RetryableError:
                time.sleep(max(min(backoff_seconds(failures), until - Deadline.now()), 0.0))
        try:
            return transport.describe(until)
        except RetryableError as error:
            raise error.error from None

    @contextmanager
    def _lock_refresh(self, until: float) -> Iterator[None]:
        left = until - Deadline.now()
        if not self._refreshing.acquire(timeout=min(max(left, 0.0), threading.TIMEOUT_MAX)):
            raise DeadlinePassed
        try:
            yield
        finally:
            self._refreshing.release()


def _copy(error: SequelaError) -> SequelaError:
    """Copies an error for another thread, because raising one exception in two threads would mix their tracebacks."""
    return type(error)(error.reason, error.message, retry_after=error.retry_after)
