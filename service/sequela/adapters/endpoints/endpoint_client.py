"""Scores rows with a model behind an endpoint: call sizes, retries and limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.call_size import choose_call_rows
from sequela.adapters.endpoints.failures import RetryableError, backoff_seconds
from sequela.adapters.endpoints.limiter import Limiter
from sequela.adapters.endpoints.transport import NoteVersion
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import SequelaError
from sequela.explain.call_listener import CallListener
from sequela.explain.endpoint_info import EndpointInfo
from sequela.explain.evaluate.model_caller import even_slices
from sequela.explain.ports import PaddingRows, RemoteRows
from sequela.explain.row_independence import RowIndependence
from sequela.timeshap.cells import Cells

Outputs = NDArray[np.float64]

MAX_SECONDS_OF_ROWS = 0.25
"""A call has at most the rows that the rate limit allows in this time (seconds), so that requests can take turns."""


class Infer(Protocol):
    """Sends one batch once. `InferenceCall` implements it."""

    def __call__(
        self,
        batch: Cells,
        padding: PaddingRows,
        output_event: int,
        until: float,
        note_version: NoteVersion,
    ) -> Outputs:
        """Returns the raw outputs (n, outputs) of a batch."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The limits on the rows of one call, in addition to the operator's terms.

    Attributes:
        tensor_bytes: The maximum size of a call's tensors in bytes, before they are encoded.
        max_rows: The most rows that the server accepts; None if it has no limit.
        fixed_rows: The number of rows of every call, if the model's shape fixes it. Smaller batches are filled up.
    """

    tensor_bytes: int
    max_rows: int | None = None
    fixed_rows: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EndpointClient:
    """Scores rows by one model behind an endpoint. Implements `explain.ports.RemoteEndpoint`.

    Attributes:
        opened_info: The endpoint's info when the model was opened. The operator's settings may have changed since.
        limiter: Limits the calls of all requests.
        infer: Sends one batch once.
        call_limits: The limits on the rows of one call.
        row_independence: As in `RemoteEndpoint`.
    """

    opened_info: EndpointInfo
    limiter: Limiter
    infer: Infer
    call_limits: CallLimits
    row_independence: RowIndependence

    @property
    def info(self) -> EndpointInfo:
        """As in `RemoteEndpoint`."""
        terms = self.limiter.terms
        # The operator may have changed the terms since the model was opened.
        return replace(self.opened_info, max_coalitions=terms.max_coalitions, estimator=terms.estimator)

    def check(self) -> None:
        """As in `RemoteEndpoint`."""
        self.limiter.check()

    def expected_seconds(self, rows: int, row_bytes: int) -> float:
        """As in `RemoteEndpoint`."""
        size = min(self._max_call_rows(row_bytes), rows)
        return rows / size * self.limiter.call_seconds(size)

    def score_batches(
        self, rows: RemoteRows, deadline: Deadline, until: float, listener: CallListener
    ) -> Outputs:
        """As in `RemoteEndpoint`."""
        size = choose_call_rows(
            rows.count,
            self._max_call_rows(rows.row_bytes, rows.max_call_rows),
            self.limiter.concurrency,
            self.limiter.call_seconds,
            min(until, deadline.end) - deadline.now(),
        )
        sender = _Sender(self, rows, deadline, until, listener)
        jobs = (partial(sender.score, part) for part in even_slices(0, rows.count, size))
        return np.concatenate(self.limiter.run(jobs, deadline, until))

    def _max_call_rows(self, row_bytes: int, limit: int | None = None) -> int:
        terms, calls = self.limiter.terms, self.call_limits
        limits = [terms.max_batch_rows, terms.max_rows_in_flight, calls.tensor_bytes // max(row_bytes, 1)]
        limits += [rows for rows in (calls.max_rows, calls.fixed_rows, limit) if rows]
        if terms.max_rows_per_second:
            limits.append(int(terms.max_rows_per_second * MAX_SECONDS_OF_ROWS))
        return max(min(limits), 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Sender:
    """Sends the calls of one `EndpointClient.score_batches` call. The attributes are its arguments."""

    client: EndpointClient
    rows: RemoteRows
    deadline: Deadline
    until: float
    listener: CallListener

    def score(self, part: slice) -> Outputs:
        """Returns the raw outputs (m, outputs) of the rows of one call. Retries the call if that may help."""
        # Rows are built when their call begins, so that memory holds only those in flight.
        batch = self.rows.build(np.arange(part.start, part.stop))
        # The last attempt follows after the loop, because its error goes to the caller.
        for failures in range(1, self.client.limiter.terms.attempts):
            try:
                return self._send(batch, part)
            except RetryableError as error:
                self._wait(backoff_seconds(failures), error.error)
        try:
            return self._send(batch, part)
        except RetryableError as error:
            raise error.error from None

    def _send(self, batch: Cells, part: slice) -> Outputs:
        """Sends a call once, as soon as the limits allow it."""
        deadline, end = self.deadline, min(self.until, self.deadline.end)
        sent_rows = self.client.call_limits.fixed_rows or part.stop - part.start
        with self.client.limiter.admit(sent_rows, deadline, self.until):
            deadline.check(end)
            self.listener.call_sent(sent_rows)
            start = deadline.now()
            outputs = self.client.infer(
                batch, self.rows.padding, self.rows.output_event, end, self.listener.version_named
            )
            self.listener.call_answered(part, outputs, deadline.now() - start)
        return outputs

    def _wait(self, seconds: float, cause: SequelaError) -> None:
        """Waits before the call is sent again.

        Raises DeadlinePassed from `cause` if there is not enough time, and Cancelled if the caller cancels.
        """
        if min(self.until, self.deadline.end) - self.deadline.now() < seconds:
            raise DeadlinePassed from cause
        self.deadline.pause(seconds)
        self.deadline.check(self.until)
