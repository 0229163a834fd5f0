"""Scores rows by a model behind an endpoint: call sizes, retries, and what limits calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.call_size import choose_call_rows
from sequela.adapters.endpoints.failures import RetryableError, backoff_seconds
from sequela.adapters.endpoints.limiter import Limiter
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import SequelaError
from sequela.explain.evaluate.model_caller import even_slices
from sequela.explain.ports import CallListener, EndpointInfo, Frame, RemoteRows
from sequela.explain.row_independence import RowIndependence
from sequela.timeshap.cells import Cells

Outputs = NDArray[np.float64]

MAX_SECONDS_OF_ROWS = 0.25
"""A call holds at most the rows that the rate limit allows in this time, so that other requests get their turn."""


class Infer(Protocol):
    """Sends one batch once, as `InferenceCall`."""

    def __call__(self, batch: Cells, frame: Frame, output_event: int, until: float) -> Outputs:
        """Raw outputs (n, outputs) of a batch."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What bounds the rows of one call, beside the operator's terms.

    Attributes:
        tensor_bytes: Size of a call's tensors at most, before they are written into a message.
        max_rows: Rows at most, where the server limits them.
        fixed_rows: Rows of every call, where the model's shape fixes them; smaller batches are filled up.
    """

    tensor_bytes: int
    max_rows: int | None = None
    fixed_rows: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EndpointClient:
    """Scores rows by one model behind an endpoint. Implements `explain.ports.RemoteEndpoint`.

    Attributes:
        opened_info: The facts when the model was opened; the operator's preferences may have changed since.
        limiter: Bounds the calls of all requests.
        infer: Sends one batch once.
        call_limits: What bounds the rows of one call.
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
    """Sends the calls of one `EndpointClient.score_batches`, whose arguments it holds."""

    client: EndpointClient
    rows: RemoteRows
    deadline: Deadline
    until: float
    listener: CallListener

    def score(self, part: slice) -> Outputs:
        """Raw outputs (m, outputs) of the rows of one call, which is sent again where that may help."""
        batch = self.rows.build(np.arange(part.start, part.stop))
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
        """Sends a call once, when the limits let it."""
        deadline, end = self.deadline, min(self.until, self.deadline.end)
        sent_rows = self.client.call_limits.fixed_rows or part.stop - part.start
        with self.client.limiter.admit(sent_rows, deadline, self.until):
            deadline.check(end)
            self.listener.call_sent(sent_rows)
            start = deadline.now()
            outputs = self.client.infer(batch, self.rows.frame, self.rows.output_event, end)
            self.listener.call_answered(part, outputs, deadline.now() - start)
        return outputs

    def _wait(self, seconds: float, cause: SequelaError) -> None:
        """Waits before the call is sent again.

        Raises DeadlinePassed from the cause where there is no time for that, and Cancelled when the caller has gone.
        """
        if min(self.until, self.deadline.end) - self.deadline.now() < seconds:
            raise DeadlinePassed from cause
        self.deadline.pause(seconds)
        self.deadline.check(self.until)
