"""A model out of an ONNX file, run by onnxruntime in this process."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.onnx_feeds import Feeder
from sequela.adapters.onnx_session import Session
from sequela.errors import DoesNotFit
from sequela.explaining.background import Background
from sequela.explaining.ports import Frame, Recurrence
from sequela.explaining.schema import ModelSchema
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class OnnxModel:
    """Implements `explaining.ports.Model`. `size` is that of the file, in bytes; `execution` says how it is
    run.
    """

    name: str
    digest: str
    schema: ModelSchema
    fixed_length: int | None
    default_background: Background | None
    execution: str
    size: int
    feeder: Feeder
    session: Session
    step_work: int = 0
    recurrence: Recurrence | None = None

    def named(self, name: str) -> OnnxModel:
        """The same model under another name; the session is shared."""
        return replace(self, name=name)

    def work(self, events: int) -> int:
        """As in `Model.work`."""
        return max(self.step_work * events, 1)

    def run(
        self, batch: Cells, frame: Frame, output_event: int, until: float = math.inf
    ) -> NDArray[np.float64]:
        """As in `Model.run`: raw outputs (n, outputs); −l < output_event ≤ 0 counts from the last real event.

        Raises DoesNotFit: MODEL_FAILED where onnxruntime fails on the batch (an id that no embedding has, too
        few events for a convolution) or gives another shape than before; MODEL_OUTPUT_NOT_FINITE.
        """
        outputs = self.session.run(self.feeder.feeds(batch, frame), until)
        step = len(frame.before[0]) + batch.length - 1 + output_event
        if self.schema.per_event:
            outputs = self._step(outputs, step)
        scores = outputs.reshape(len(outputs), -1)
        if scores.shape[1] != len(self.schema.targets):
            text = f"the model gives {scores.shape[1]} outputs for {len(self.schema.targets)} targets"
            raise DoesNotFit("MODEL_FAILED", text)
        if not np.isfinite(scores).all():
            row, column = (int(i) for i in np.argwhere(~np.isfinite(scores))[0])
            name = self.schema.targets[column].name
            raise DoesNotFit(
                "MODEL_OUTPUT_NOT_FINITE", f"the model gives {scores[row, column]} for target {name!r}"
            )
        return scores

    @staticmethod
    def _step(outputs: NDArray[np.float64], step: int) -> NDArray[np.float64]:
        if not 0 <= step < outputs.shape[1]:
            raise DoesNotFit(
                "MODEL_FAILED", f"the model gives {outputs.shape[1]} steps, none for step {step}"
            )
        return outputs[:, step]
