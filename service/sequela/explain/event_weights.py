"""The model's own weight of each event, such as its attention, read by one run of the sequence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sequela.explain.evaluate.model_caller import ModelCaller
from sequela.explain.ports import RemoteModel
from sequela.explain.task import Task


def event_weights(task: Task, caller: ModelCaller) -> tuple[float, ...]:
    """Reads the weights of the real events, oldest first; () if the schema names no output for them.

    Raises:
        DeadlinePassed: The deadline passed first.
        Cancelled: The caller cancelled the request.
        DoesNotFit: The model failed, or a weight is not finite.
    """
    model, prepared = task.model, task.prepared
    if not model.info.schema.event_weights or isinstance(model, RemoteModel):
        return ()
    sequence, frame = prepared.cells.as_batch(), prepared.frame
    events = sequence.length + len(frame.before[0]) + len(frame.after[0])

    def read() -> NDArray[np.float64] | None:
        return caller.run(
            1, events, caller.deadline.end, lambda end: model.event_weights(sequence, frame, end)
        )

    (weights,) = caller.run_jobs([read], model.work(events))
    return () if weights is None else tuple(weights.tolist())
