"""Values of coalitions by a model that is run whole: every coalition is a sequence of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ModelCaller, cut
from sequela.explain.ports import Frame, Model
from sequela.timeshap.masking import Mask, Masker
from sequela.timeshap.players import Players

Outputs = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class WholeExecution:
    """Runs sequences that mix X and B. Implements `evaluate.Execution`."""

    model: Model
    masker: Masker
    frame: Frame
    output_event: int
    caller: ModelCaller

    def live(self, players: Players) -> NDArray[np.bool_]:
        """As in `Execution`."""
        return self.masker.live(players, self.masker.sequence.length)

    def seconds(self, coalitions: int) -> float:
        """As in `Execution`."""
        return self.caller.expected_seconds(coalitions, self._events, self.model.work(self._events))

    def endpoints(self, players: Players) -> Outputs:
        """Raw outputs (2, outputs) of B and X."""
        return self.outputs(players, np.repeat([[False], [True]], len(players), axis=1), np.inf)

    def outputs(self, players: Players, coalitions: NDArray[np.bool_], until: float) -> Outputs:
        """Raw outputs (n, outputs) of coalitions (n, players)."""
        mask = self.masker.over(players, 0, self.masker.sequence.length)
        work = len(coalitions) * self.model.work(self._events)
        return np.concatenate(list(self.caller.run_jobs(self._jobs(mask, coalitions, until), work)))

    def _jobs(
        self, mask: Mask, coalitions: NDArray[np.bool_], until: float
    ) -> Iterator[Callable[[], Outputs]]:
        padding = (*self.frame.before, *self.frame.after)
        cells = sum(array.size for array in (*self.masker.sequence.events, *padding))
        rows = self.caller.batch_rows(self.model.work(self._events), self._events, cells, until)
        for part in cut(0, len(coalitions), rows):
            yield partial(self._run, mask, coalitions, np.arange(part.start, part.stop), until)

    def _run(
        self, mask: Mask, coalitions: NDArray[np.bool_], part: NDArray[np.intp], until: float
    ) -> Outputs:
        def call(end: float) -> Outputs:
            return self.model.run(mask.apply(coalitions, part), self.frame, self.output_event, end)

        return self.caller.run(len(part), self._events, until, call)

    @property
    def _events(self) -> int:
        return self.masker.sequence.length + len(self.frame.before[0]) + len(self.frame.after[0])
