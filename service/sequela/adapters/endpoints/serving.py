"""One served model over time: described when first asked for, again every while, and when an answer is odd."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sequela.adapters.endpoints.line import Line
from sequela.adapters.endpoints.model import ServedModel, Source, open_model
from sequela.adapters.endpoints.transports.transport import Description
from sequela.explaining.clock import Clock, TimeUp
from sequela.explaining.limits import Limits
from sequela.explaining.ports import TryAgain

PAUSE = 0.05
"""Seconds between attempts to have a model described."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What the endpoint said, the model that follows, and until when that is taken to hold."""

    description: Description
    model: ServedModel
    until: float


@dataclass(slots=True, eq=False)
class Serving:
    """Safe to call from several threads at once; one of them asks, the others wait for what it hears.

    ttl: seconds for which a description is taken to hold. doubtful: an answer did not fit it.
    """

    name: str
    source: Source
    line: Line
    limits: Limits
    ttl: float
    doubtful: bool = False
    _known: _Known | None = None
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def model(self, until: float) -> ServedModel:
        """The model as it is served now.

        Raises InvalidInput where the endpoint's description does not fit the schema, TimeUp, Forbidden while it is
        switched off, Unavailable while it is down, and what `Transport.describe` raises but TryAgain.
        """
        self.line.traffic.check()
        known = self._known
        if known and Clock.now() < known.until and not self.doubtful:
            return known.model
        with self._one_asks(until):
            if self._known is not known and self._known:
                return self._known.model
            return self._learn(until)

    def refresh(self, until: float) -> ServedModel:
        """The same, asked anew."""
        with self._one_asks(until):
            return self._learn(until)

    def doubt(self) -> None:
        """An answer did not fit: what the endpoint said may hold no longer."""
        self.doubtful = True

    def _learn(self, until: float) -> ServedModel:
        description = self._described(until)
        known = self._known
        if known and known.description == description:
            model = known.model
        else:
            model = open_model(self.name, self.source, description, self.line, self.limits, self.doubt)
        self._known, self.doubtful = _Known(description, model, Clock.now() + self.ttl), False
        return model

    def _described(self, until: float) -> Description:
        attempts = self.line.traffic.terms.attempts
        for attempt in range(attempts):
            try:
                end = min(until, Clock.now() + self.line.traffic.terms.call_seconds)
                return self.line.transport.describe(end)
            except TryAgain as error:
                failed = error.error
                if attempt < attempts - 1:
                    time.sleep(max(min(PAUSE * 2**attempt, until - Clock.now()), 0.0))
        raise failed

    @contextmanager
    def _one_asks(self, until: float) -> Iterator[None]:
        left = until - Clock.now()
        if not self._asking.acquire(timeout=min(max(left, 0.0), threading.TIMEOUT_MAX)):
            raise TimeUp
        try:
            yield
        finally:
            self._asking.release()
