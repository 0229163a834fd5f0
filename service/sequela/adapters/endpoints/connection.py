"""A line to one version of a served model: the transport that speaks to it, and the traffic that it shares."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from sequela.adapters.endpoints.limiter import Traffic
from sequela.adapters.endpoints.transport import Transport
from sequela.concurrency.deadline import Deadline
from sequela.explain.evaluate.row_independence import RowIndependence
from sequela.explain.options import Estimator

T = TypeVar("T")

PROBE_SECONDS = 1.0
LONGEST_SHARE = 0.25
"""Seconds' worth of the rows allowed that one call may take, so that others' rows get their turn between."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Line:
    """Ends when nothing refers to it any more. Its breaker looks whether any line of its traffic is ready.

    tensor_bytes: of one call at most, before they are put into a message.
    """

    transport: Transport
    traffic: Traffic
    tensor_bytes: int

    def __post_init__(self) -> None:
        self.traffic.lines.add(self)
        weakref.finalize(self, self.transport.close)

    def ready(self) -> bool:
        """Whether the endpoint would take calls now."""
        return self.transport.ready(Deadline.now() + PROBE_SECONDS)

    def close(self) -> None:
        """Ends the connection."""
        self.transport.close()


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """The way to a model over a line. Implements `explain.ports.Endpoint`.

    most_rows: rows of a call at most, where the server limits them. fixed_rows: rows of every call, where the model's
    shape fixes them.
    """

    uri: str
    version: str
    revision: str
    pinned: bool
    line: Line
    most_rows: int | None
    fixed_rows: int | None
    rows_alone: RowIndependence = field(default_factory=RowIndependence)

    @property
    def coalitions(self) -> int:
        """As in `Endpoint`."""
        return self.line.traffic.terms.max_coalitions

    @property
    def estimator(self) -> Estimator | None:
        """As in `Endpoint`."""
        return self.line.traffic.terms.estimator

    @property
    def attempts(self) -> int:
        """As in `Endpoint`."""
        return self.line.traffic.terms.attempts

    def check(self) -> None:
        """As in `Endpoint`."""
        self.line.traffic.check()

    def seconds(self, rows: int) -> float:
        """As in `Endpoint`."""
        return self.line.traffic.seconds(rows)

    @property
    def lanes(self) -> int:
        """As in `Endpoint`."""
        return self.line.traffic.lanes

    def rows(self, row_bytes: int) -> int:
        """As in `Endpoint`."""
        terms = self.line.traffic.terms
        most = [terms.max_batch_rows, terms.max_rows_in_flight, self.line.tensor_bytes // max(row_bytes, 1)]
        most += [rows for rows in (self.most_rows, self.fixed_rows) if rows]
        if terms.max_rows_per_second:
            most.append(int(terms.max_rows_per_second * LONGEST_SHARE))
        return max(min(most), 1)

    def sent(self, rows: int) -> int:
        """As in `Endpoint`."""
        return self.fixed_rows or rows

    def admitted(self, rows: int, deadline: Deadline, until: float) -> AbstractContextManager[None]:
        """As in `Endpoint`."""
        return self.line.traffic.admitted(rows, deadline, until)

    def run(self, jobs: Iterable[Callable[[], T]], deadline: Deadline, until: float) -> list[T]:
        """As in `Endpoint`."""
        return self.line.traffic.run(jobs, deadline, until)
