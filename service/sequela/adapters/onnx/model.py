"""A model from an ONNX file, run by onnxruntime in this process."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.scores import Scores
from sequela.adapters.onnx.event_weights import EventWeightReader
from sequela.adapters.onnx.session import Session
from sequela.errors import DoesNotFit
from sequela.explain.ports import ModelInfo, PaddingRows, Recurrence
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class OnnxModel:
    """Implements `explain.ports.LocalModel`.

    Attributes:
        execution: How the model is run, as a text for operators.
        size: The bytes that it counts with in the cache: the file's, once for each session.
        step_work: About how many multiply-adds one event takes.
        recurrence: Runs the model from states, if that is possible.
        trial_lengths: The numbers of events that it ran on when it was loaded.
        weight_reader: Reads the model's own weights of events, if the schema names an output for them.
    """

    info: ModelInfo
    execution: str
    size: int
    feeder: Feeder
    session: Session
    step_work: int = 0
    recurrence: Recurrence | None = None
    trial_lengths: tuple[int, ...] = ()
    weight_reader: EventWeightReader | None = None

    def with_name(self, name: str) -> OnnxModel:
        """Returns the same model under another name; the session is shared."""
        return replace(self, info=replace(self.info, name=name))

    def unload(self) -> None:
        """Does nothing: it holds nothing outside this process."""

    @property
    def endpoint(self) -> None:
        """None, since it runs in this process."""
        return None

    def work(self, events: int) -> int:
        """As in `LocalModel.work`."""
        return max(self.step_work * events, 1)

    def run(
        self, batch: Cells, padding: PaddingRows, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        """As in `LocalModel.run`: raw outputs (n, targets).

        Outputs with a step for each event give the one of `output_event`, where −l < output_event ≤ 0 counts from the
        last real event.

        Raises:
            DoesNotFit: MODEL_FAILED if onnxruntime fails on the batch (an id that no embedding has, too few events for
                a convolution) or gives another shape than before; MODEL_OUTPUT_NOT_FINITE.
        """
        try:
            outputs = self.session.run(self.feeder.feeds(batch, padding), until)
        except DoesNotFit as error:
            if error.reason != "MODEL_FAILED":
                raise
            text = f"{error.message} (on {batch.length:,} events){self._trial_text()}"
            raise DoesNotFit("MODEL_FAILED", text) from None
        return Scores(self.info.schema).at(outputs, len(padding.before[0]) + batch.length - 1 + output_event)

    def event_weights(
        self, sequence: Cells, padding: PaddingRows, until: float = math.inf
    ) -> NDArray[np.float64] | None:
        """As in `LocalModel.event_weights`."""
        return None if self.weight_reader is None else self.weight_reader.read(sequence, padding, until)

    def _trial_text(self) -> str:
        lengths = " and ".join(f"{length:,}" for length in self.trial_lengths)
        return f"; when it was loaded it ran on {lengths}" if lengths else ""
