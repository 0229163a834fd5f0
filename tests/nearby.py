"""A model of this process that is called as if another server ran it: an endpoint without its transport."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sequela.adapters.endpoints.endpoint_client import CallLimits, EndpointClient
from sequela.adapters.endpoints.endpoint_terms import EndpointTerms
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.limiter import Limiter
from sequela.adapters.endpoints.transport import NoteVersion
from sequela.errors import Unavailable
from sequela.explain.endpoint_info import EndpointInfo
from sequela.explain.options import Estimator
from sequela.explain.ports import LocalModel, Observers, PaddingRows, RemoteModel
from sequela.explain.row_independence import RowIndependence
from sequela.timeshap.cells import Cells

Twist = Callable[[int, Cells], None]
"""Called before each call, with its number from 1 and its batch; may raise."""


class FixedTimes(Limiter):
    """Expects every row to take the same number of seconds, however long calls took."""

    row_seconds = 0.0

    def call_seconds(self, rows: int) -> float:
        return self.row_seconds * rows


class Nearby(RemoteModel):
    """A model that is called like an endpoint; `batches` records what was sent. It does not send rows twice to find out
    whether they influence each other.
    """

    __slots__ = ("batches",)

    def __init__(
        self,
        model: LocalModel,
        twist: Twist = lambda number, batch: None,
        pinned: bool = True,
        row_seconds: float = 0.0,
        max_batch_rows: int = 64,
        max_coalitions: int = 2048,
        attempts: int = 3,
        max_calls: int = 1,
        estimator: Estimator | None = None,
    ) -> None:
        def infer(
            batch: Cells, padding: PaddingRows, output_event: int, until: float, note_version: NoteVersion
        ) -> NDArray[np.float64]:
            batches.append(batch)
            note_version("")
            twist(len(batches), batch)
            return model.run(batch, padding, output_event, until)

        batches: list[Cells] = []
        uri = "grpc://nearby:1/m"
        terms = EndpointTerms(
            max_batch_rows=max_batch_rows,
            max_calls=max_calls,
            attempts=attempts,
            max_coalitions=max_coalitions,
            estimator=estimator,
        )
        limiter = FixedTimes("nearby", uri, terms, Observers(()), 1.0)
        limiter.row_seconds = row_seconds
        info = EndpointInfo(uri, "1", "", pinned, "", max_coalitions, estimator)
        endpoint = EndpointClient(info, limiter, infer, CallLimits(1 << 30), RowIndependence(left=0))
        super().__init__(model.info, endpoint)
        object.__setattr__(self, "batches", batches)

    @property
    def rows_sent(self) -> int:
        """Rows of all calls."""
        return sum(len(batch.events[0]) for batch in self.batches)


def failing(times: int) -> Twist:
    """Loses the first calls."""

    def twist(number: int, batch: Cells) -> None:
        del batch
        if number <= times:
            raise RetryableError(Unavailable("ENDPOINT_UNAVAILABLE", "lost", retry_after=1.0))

    return twist
