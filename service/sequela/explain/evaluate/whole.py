"""Evaluates coalitions by running the model on a whole sequence for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ModelCaller, even_slices
from sequela.explain.ports import LocalModel, PaddingRows
from sequela.timeshap.masking import Mask, Masker
from sequela.timeshap.players import Players

Outputs = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class WholeExecution:
    """Runs whole perturbations of X and B. Implements `Execution`.

    Attributes:
        model: The model.
        masker: Builds the perturbations.
        padding: The padding around the events.
        output_event: The event t <= 0 whose output is explained, for models with an output for each event.
        caller: Calls the model.
    """

    model: LocalModel
    masker: Masker
    padding: PaddingRows
    output_event: int
    caller: ModelCaller

    def live(self, players: Players) -> NDArray[np.bool_]:
        """As in `Execution`."""
        return self.masker.live(players, self.masker.sequence.length)

    def seconds(self, coalitions: int) -> float:
        """As in `Execution`."""
        return self.caller.expected_seconds(coalitions, self._events, self.model.work(self._events))

    def base_and_score(self, players: Players) -> Outputs:
        """As in `Execution`."""
        return self.outputs(players, np.repeat([[False], [True]], len(players), axis=1), np.inf)

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> Outputs:
        """As in `Execution`."""
        # The mask is the same for all batches, so it is prepared once.
        mask = self.masker.over(players, 0, self.masker.sequence.length)
        work = len(coalitions) * self.model.work(self._events)
        return np.concatenate(list(self.caller.run_jobs(self._batches(mask, coalitions, until), work)))

    def _batches(
        self, mask: Mask, coalitions: NDArray[np.bool_], until: float
    ) -> Iterator[Callable[[], Outputs]]:
        """Yields one job for each batch."""
        padding = (*self.padding.before, *self.padding.after)
        cells = sum(array.size for array in (*self.masker.sequence.events, *padding))
        rows = self.caller.batch_rows(self.model.work(self._events), self._events, cells, until)
        for part in even_slices(0, len(coalitions), rows):
            yield partial(self._run, mask, coalitions, np.arange(part.start, part.stop), until)

    def _run(
        self, mask: Mask, coalitions: NDArray[np.bool_], part: NDArray[np.intp], until: float
    ) -> Outputs:
        def call(end: float) -> Outputs:
            return self.model.run(mask.apply(coalitions, part), self.padding, self.output_event, end)

        return self.caller.run(len(part), self._events, until, call)

    @property
    def _events(self) -> int:
        """The number of events in a row, including padding."""
        return self.masker.sequence.length + len(self.padding.before[0]) + len(self.padding.after[0])
