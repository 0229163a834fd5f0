"""Scores rows by a model behind an endpoint: call sizes, retries, and what limits calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.backoff import backoff_seconds
from sequela.adapters.endpoints.call_size import choose_call_rows
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.limiter import Limiter
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.errors import SequelaError
from sequela.explain.evaluate.model_caller import cut
from sequela.explain.evaluate.row_independence import RowIndependence
from sequela.explain.ports import CallListener, EndpointInfo, Frame, RemoteRows
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
        end = min(until, deadline.end)
        size = choose_call_rows(
            rows.count,
            self._max_call_rows(rows.row_bytes, rows.max_call_rows),
            self.limiter.concurrency,
            self.limiter.call_seconds,
            end - deadline.now(),
        )
        score = partial(self._score_part, rows, deadline, until, listener)
        jobs = (partial(score, part) for part in cut(0, rows.count, size))
        return np.concatenate(self.limiter.run(jobs, deadline, until))

    def _max_call_rows(self, row_bytes: int, limit: int | None = None) -> int:
        terms, calls = self.limiter.terms, self.call_limits
        limits = [terms.max_batch_rows, terms.max_rows_in_flight, calls.tensor_bytes // max(row_bytes, 1)]
        limits += [rows for rows in (calls.max_rows, calls.fixed_rows, limit) if rows]
        if terms.max_rows_per_second:
            limits.append(int(terms.max_rows_per_second * MAX_SECONDS_OF_ROWS))
        return max(min(limits), 1)

    def _score_part(
        self, rows: RemoteRows, deadline: Deadline, until: float, listener: CallListener, part: slice
    ) -> Outputs:
        """Scores the rows of one call, which is sent again where that may help."""
        batch = rows.build(np.arange(part.start, part.stop))
        call = partial(self._call, rows, batch, deadline, until, listener, part)
        for failures in range(1, self.limiter.terms.attempts):
            try:
                return call()
            except RetryableError as error:
                _wait(backoff_seconds(failures), deadline, until, error.error)
        try:
            return call()
        except RetryableError as error:
            raise error.error from None

    def _call(
        self,
        rows: RemoteRows,
        batch: Cells,
        deadline: Deadline,
        until: float,
        listener: CallListener,
        part: slice,
    ) -> Outputs:
        end = min(until, deadline.end)
        sent_rows = self.call_limits.fixed_rows or part.stop - part.start
        with self.limiter.admit(sent_rows, deadline, until):
            deadline.check(end)
            listener.call_sent(sent_rows)
            start = deadline.now()
            outputs = self.infer(batch, rows.frame, rows.output_event, end)
            listener.call_answered(part, outputs, deadline.now() - start)
        return outputs


def _wait(seconds: float, deadline: Deadline, until: float, cause: SequelaError) -> None:
    """Waits before a call is sent again.

    Raises DeadlinePassed from the cause where there is no time for that, and Cancelled when the caller has gone.
    """
    if min(until, deadline.end) - deadline.now() < seconds:
        raise DeadlinePassed from cause
    deadline.pause(seconds)
    deadline.check(until)
