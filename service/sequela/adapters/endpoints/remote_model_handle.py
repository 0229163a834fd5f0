"""One served model over time: described when first asked for, again every while, and when an answer is odd."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sequela.adapters.endpoints.connection import Connection
from sequela.adapters.endpoints.remote_model import ServedModel, Source, open_model
from sequela.adapters.endpoints.transport import Description
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import Overloaded, SequelaError, Unavailable
from sequela.explain.limits import Limits
from sequela.explain.ports import TryAgain

PAUSE = 0.05
"""Seconds between attempts to have a model described."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What the endpoint said, the model that follows, and until when that is taken to hold."""

    description: Description
    model: ServedModel
    until: float


@dataclass(slots=True, eq=False)
class RemoteModelHandle:
    """Safe to call from several threads at once; one of them asks, the others wait for what it hears.

    ttl: seconds for which a description is taken to hold. doubtful: an answer did not fit it.
    """

    name: str
    source: Source
    line: Connection
    limits: Limits
    ttl: float
    doubtful: bool = False
    _known: _Known | None = None
    _failed: SequelaError | None = None
    _failed_until: float = 0.0
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def model(self, until: float) -> ServedModel:
        """The model as it is served now.

        Raises InvalidInput where the endpoint's description does not fit the schema, TimeUp, Forbidden while it is
        switched off, Unavailable while it is down, and what `Transport.describe` raises but TryAgain.
        """
        self.line.traffic.check()
        known = self._known
        if known and Deadline.now() < known.until and not self.doubtful:
            return known.model
        with self._one_asks(until):
            if self._known is not known and self._known:
                return self._known.model
            if self._failed and Deadline.now() < self._failed_until:
                raise _again(self._failed)  # those who waited while it was asked in vain hear what was heard
            return self._learn(until)

    def refresh(self, until: float) -> ServedModel:
        """The same, asked anew."""
        with self._one_asks(until):
            return self._learn(until)

    def doubt(self) -> None:
        """An answer did not fit: what the endpoint said may hold no longer."""
        self.doubtful = True

    def _learn(self, until: float) -> ServedModel:
        try:
            description = self._described(until)
        except (Unavailable, Overloaded) as error:
            self._failed, self._failed_until = error, Deadline.now() + self.line.traffic.rest
            raise
        self._failed = None
        known = self._known
        if known and known.description == description:
            model = known.model
        else:
            model = open_model(self.name, self.source, description, self.line, self.limits, self.doubt)
        self._known, self.doubtful = _Known(description, model, Deadline.now() + self.ttl), False
        return model

    def _described(self, until: float) -> Description:
        traffic = self.line.traffic
        limit = Deadline.now() + traffic.terms.call_seconds
        for attempt in range(traffic.terms.attempts):
            try:
                return self.line.transport.describe(min(until, limit))
            except TryAgain as error:
                failed: SequelaError = error.error
                if attempt < traffic.terms.attempts - 1:
                    time.sleep(max(min(PAUSE * 2**attempt, min(until, limit) - Deadline.now()), 0.0))
            except DeadlinePassed:
                if until <= limit:
                    raise
                text = (
                    f"{self.source.uri} does not say what it serves within {traffic.terms.call_seconds:g} s"
                )
                raise Unavailable("ENDPOINT_UNAVAILABLE", text, retry_after=traffic.rest) from None
        raise failed

    @contextmanager
    def _one_asks(self, until: float) -> Iterator[None]:
        left = until - Deadline.now()
        if not self._asking.acquire(timeout=min(max(left, 0.0), threading.TIMEOUT_MAX)):
            raise DeadlinePassed
        try:
            yield
        finally:
            self._asking.release()


def _again(error: SequelaError) -> SequelaError:
    """The same for another thread: an exception belongs to the one that raises it."""
    return type(error)(error.reason, error.message, retry_after=error.retry_after)
