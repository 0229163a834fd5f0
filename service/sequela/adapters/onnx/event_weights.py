"""Reads a model's own weight of each event, such as its attention, from an output that the schema names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.signature import Content, OutputSignature
from sequela.adapters.onnx.probe import no_padding, sample_cells
from sequela.adapters.onnx.session import Session
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.ports import Frame
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class EventWeightReader:
    """Runs a model on one sequence for its weights of the events.

    Attributes:
        output: The name of the output with the weights.
        feeder: Makes the model's inputs.
        session: Runs the model.
    """

    output: str
    feeder: Feeder
    session: Session

    def read(self, cells: Cells, frame: Frame, until: float = math.inf) -> NDArray[np.float64]:
        """Reads the weights of the real events.

        Args:
            cells: A batch of one sequence.
            frame: The padding around its events.
            until: A deadline on the monotonic clock.

        Returns:
            One weight for each real event, oldest first, (l,).

        Raises:
            DoesNotFit: MODEL_FAILED if the model fails or gives another number of weights; MODEL_OUTPUT_NOT_FINITE;
                what `Session.fetch` raises.
        """
        before, after = len(frame.before[0]), len(frame.after[0])
        weights = self._all(cells, frame, before + cells.length + after, until)
        real = weights[before : before + cells.length]
        if not np.isfinite(real).all():
            text = (
                f"the model gives {real[~np.isfinite(real)][0]} as an event weight in output {self.output!r}"
            )
            raise DoesNotFit("MODEL_OUTPUT_NOT_FINITE", text)
        return real

    def _all(self, cells: Cells, frame: Frame, length: int, until: float) -> NDArray[np.float64]:
        """The weights of all events, padding included, (length,)."""
        feeds = self.feeder.feeds(cells, frame)
        rows = self.session.fixed_batch or 1
        # A model with a fixed batch gets the sequence in every row.
        repeated = {name: np.repeat(values[:1], rows, axis=0) for name, values in feeds.items()}
        (output,) = self.session.fetch([self.output], repeated, until)
        return self._one_row(output, rows, length)

    def _one_row(self, output: Any, rows: int, length: int) -> NDArray[np.float64]:
        shape = getattr(output, "shape", None)
        # Axes of size 1 do not count; a model that takes one sequence may have no batch axis in its output.
        sizes = None if shape is None else [size for size in shape if size != 1]
        wanted = [size for size in (rows, length) if size != 1]
        if sizes != wanted or output.dtype.kind != "f":
            kind = f"{output.dtype} {tuple(shape)}" if shape is not None else type(output).__name__
            text = (
                f"output {self.output!r} is {kind} for {rows} sequence{'s' * (rows > 1)} of {length} events; event "
                "weights are one floating-point number for each event, (batch, events)"
            )
            raise DoesNotFit("MODEL_FAILED", text)
        return np.asarray(output.reshape(rows, length)[0], dtype=np.float64)


def find_event_weights(name: str, outputs: Sequence[OutputSignature], path: str) -> None:
    """Checks that the model has an output of floats with this name.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT.
    """
    found = next((item for item in outputs if item.name == name), None)
    if found is None:
        names = ", ".join(item.name for item in outputs)
        text = f"event_weights: {name!r} is not an output of the model, which gives {names}"
    elif found.content not in (Content.FLOATS, Content.UNKNOWN):
        text = f"event_weights: {found.description} does not hold floating-point numbers"
    else:
        return
    raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text)


def event_weight_reader(
    name: str, feeder: Feeder, session: Session, lengths: Sequence[int], path: str
) -> EventWeightReader:
    """Makes the reader of an output, after running it once at each of these lengths.

    Raises:
        InvalidInput: SCHEMA_DOES_NOT_FIT if the output does not have one finite number for each event.
    """
    reader = EventWeightReader(name, feeder, session)
    for length in lengths:
        cells = sample_cells(feeder.inputs, 1, length)
        try:
            reader.read(cells, no_padding(cells))
        except DoesNotFit as error:
            text = f"event_weights: {error.message}"
            raise InvalidInput.at(path, "SCHEMA_DOES_NOT_FIT", text) from None
    return reader
