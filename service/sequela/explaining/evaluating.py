"""Asks the model for the values of coalitions, batch by batch: the only place that does.

Deadlines, cancellation, costs and batch sizes live here, so that the core plans and concludes with plain
arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sequela.explaining.clock import Clock
from sequela.explaining.fitting import Fitted
from sequela.explaining.link import linked
from sequela.explaining.ports import Model, Observer
from sequela.explaining.records import BatchEvaluated
from sequela.explaining.schema import Link
from sequela.timeshap.cells import Cells, Columns
from sequela.timeshap.masking import Masker
from sequela.timeshap.players import Players

BATCH_CELLS = 1 << 20
MOST_ROWS = 1024
TELLING_ROWS = 32
"""Rows from which on a batch tells how long a row takes; below, the call itself takes most of the time."""


def rows_per_batch(fitted: Fitted) -> int:
    """Rows of a batch for a sequence: a power of two, even, so that a batch with its padding holds about a
    million cells.

    A function of the shape alone, because the last bits of a model's outputs depend on the batch.
    """
    parts = (*fitted.cells.events, *fitted.cells.static, *fitted.frame.before, *fitted.frame.after)
    cells = sum(array.size for array in parts)
    rows = max(BATCH_CELLS // max(cells, 1), 2)
    return int(min(1 << (rows.bit_length() - 1), MOST_ROWS))


class Evaluator:
    """v(z) of one sequence against one background, with its running cost. Serves one request, in one
    thread.
    """

    def __init__(
        self,
        model: Model,
        fitted: Fitted,
        background: Cells,
        columns: Columns,
        targets: Sequence[int],
        link: Link,
        output_event: int,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.clock = clock
        self.rows = rows_per_batch(fitted)
        self.model_rows = 0
        self.model_calls = 0
        self.clipped = 0
        self._row_seconds = 0.0
        self._model, self._frame = model, fitted.frame
        self._masker = Masker(fitted.cells, background, columns)
        self._targets, self._link, self._output_event = list(targets), link, output_event
        self._observer = observer

    def values(
        self, players: Players, coalitions: NDArray[np.bool_], until: float = np.inf
    ) -> NDArray[np.float64]:
        """Values (n, targets) on the link's scale of coalitions (n, players).

        Raises TimeUp past `until`, Cancelled when the caller is gone, DoesNotFit when the model fails.
        """
        result = linked(self._link, self.raw(players, coalitions, until))
        self.clipped += result.clipped
        return result.values

    def raw(
        self, players: Players, coalitions: NDArray[np.bool_], until: float = np.inf
    ) -> NDArray[np.float64]:
        """The same before the link."""
        batches = [
            self._run(players, coalitions[start : start + self.rows], until)
            for start in range(0, len(coalitions), self.rows)
        ]
        return np.concatenate(batches)

    def _run(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> NDArray[np.float64]:
        # A batch that would not be done in time is not begun.
        self.clock.check(min(until, self.clock.end) - self._row_seconds * len(coalitions))
        start = self.clock.now()
        batch = self._masker.apply(players, coalitions)
        outputs = self._model.run(batch, self._frame, self._output_event)
        seconds = self.clock.now() - start
        self._observer.notice(BatchEvaluated(len(coalitions), seconds))
        if len(coalitions) >= TELLING_ROWS:
            self._row_seconds = seconds / len(coalitions)
        self.model_rows += len(coalitions)
        self.model_calls += 1
        return outputs[:, self._targets]
