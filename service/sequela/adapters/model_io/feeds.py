"""Turns a batch of cells and the frame around it into the tensors that a signature takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.errors import DoesNotFit
from sequela.explain.ports import Frame
from sequela.explain.schema import InputSchema, Role
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True)
class Feeder:
    """A model's inputs as its schema orders them, and the signature's view of each, in the server's order of axes.
    States are left to whoever knows the model's own axes.
    """

    inputs: Sequence[InputSchema]
    signature: Signature

    def feeds(self, batch: Cells, frame: Frame) -> dict[str, NDArray[Any]]:
        """Values by input name. Batch and frame are as in `Model.run`. Raises DoesNotFit (VALUE_OUT_OF_RANGE)."""
        rows, before, after = len(batch.events[0]), len(frame.before[0]), len(frame.after[0])
        real = np.repeat([0, 1, 0], [before, batch.length, after])
        by_role: dict[Role, Iterator[NDArray[Any]]] = {
            Role.EVENTS: iter(batch.between(frame.before, frame.after).events),
            Role.STATIC: iter(batch.static),
        }
        feeds = {}
        for item in self.inputs:
            if item.role is Role.STATE:
                continue
            if item.role is Role.MASK:
                # 1 for an event and 0 for padding, or 0 for an event and what the schema says for padding.
                marks = np.where(real, 0.0, item.pad_value) if item.pad_value else real
                values = np.broadcast_to(marks, (rows, len(real)))
            elif item.role is Role.LENGTH:
                values = np.full((rows, 1), batch.length)
            else:
                values = next(by_role[item.role])
            feeds[item.name] = to_input_array(values, self.signature_of(item))
        return feeds

    def signature_of(self, item: InputSchema) -> InputSignature:
        """The signature's own input behind a schema's."""
        return next(seen for seen in self.signature.inputs if seen.name == item.name)


def to_input_array(values: NDArray[Any], seen: InputSignature) -> NDArray[Any]:
    """In the signature's rank and element type; inputs of one column may leave out the column axis. Raises DoesNotFit
    (VALUE_OUT_OF_RANGE) for a value that a small element type does not hold.
    """
    flat = values if values.ndim == seen.rank else values[..., 0]
    if seen.numpy_type != seen.dtype.value:
        _check_range(flat, seen)
    return np.ascontiguousarray(flat, dtype=seen.numpy_type)


def _check_range(values: NDArray[Any], seen: InputSignature) -> None:
    """Schemas know the large types only: a float16 would become infinite, an int8 another number."""
    wanted = np.dtype(seen.numpy_type)
    known = np.finfo(wanted) if wanted.kind == "f" else np.iinfo(wanted)
    outside = (values < known.min) | (values > known.max)
    if outside.any():
        text = (
            f"input {seen.name!r} takes {wanted.name}, from {known.min} to {known.max}; "
            f"{values[outside][0]} does not fit"
        )
        raise DoesNotFit("VALUE_OUT_OF_RANGE", text)
