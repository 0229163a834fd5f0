"""Makes a call to a model behind an endpoint, with a batch of sequences, and returns its scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.connection import Connection
from sequela.adapters.endpoints.feeds import endpoint_feeds
from sequela.adapters.endpoints.model_interface import ModelInterface
from sequela.adapters.endpoints.transport import NoteVersion
from sequela.adapters.model_io.scores import Scores
from sequela.errors import DoesNotFit
from sequela.explain.ports import PaddingRows
from sequela.spans import Attributes, SpanKind, span
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class InferenceCall:
    """Sends batches over a connection.

    Attributes:
        interface: The model's inputs and outputs.
        connection: The connection over which batches are sent.
        report_mismatch: Called if an answer does not fit the interface.
    """

    interface: ModelInterface
    connection: Connection
    report_mismatch: Callable[[], None]

    def __call__(
        self,
        batch: Cells,
        padding: PaddingRows,
        output_event: int,
        until: float,
        note_version: NoteVersion,
    ) -> NDArray[np.float64]:
        """Sends one batch once. Other arguments and the result are as in `LocalModel.run`.

        Raises:
            RetryableError, Overloaded, DeadlinePassed: As `Transport.infer`.
            Unavailable: As `Transport.infer`, or the call took longer than one call may.
            DoesNotFit: As `Transport.infer`; ENDPOINT_ANSWER_INVALID and MODEL_OUTPUT_NOT_FINITE.
        """
        rows = len(batch.events[0])
        feeds = endpoint_feeds(self.interface, batch, padding)
        sent_rows = len(next(iter(feeds.values())))
        send = self.connection.transport.infer
        infer = partial(send, feeds, self.interface.output, note_version=note_version)
        step = len(padding.before[0]) + batch.length - 1 + output_event
        try:
            with span("endpoint call", SpanKind.CLIENT, self._attributes(sent_rows)):
                outputs = self.connection.limiter.call(sent_rows, until, infer)
            # Drop the rows that only filled up a fixed batch.
            return self._scores(outputs, sent_rows, step)[:rows]
        except DoesNotFit:
            # The server may have a new model, so its description is requested again.
            self.report_mismatch()
            raise

    def _attributes(self, rows: int) -> Attributes:
        return {"sequela.endpoint": self.connection.limiter.label, "sequela.rows": rows}

    def _scores(self, outputs: NDArray[np.float64], rows: int, step: int) -> NDArray[np.float64]:
        schema = self.interface.schema
        if outputs.ndim < 1 + bool(schema.per_event) or len(outputs) != rows:
            raise _invalid(f"its shape is {outputs.shape} for {rows} sequences")
        try:
            return Scores(schema).at(outputs, step)
        except DoesNotFit as error:
            if error.reason == "MODEL_FAILED":
                raise _invalid(error.message) from None
            raise


def _invalid(detail: str) -> DoesNotFit:
    return DoesNotFit("ENDPOINT_ANSWER_INVALID", f"the endpoint's answer does not fit the model: {detail}")
