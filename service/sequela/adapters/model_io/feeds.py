"""Makes the input tensors of a model from a batch of cells and the padding around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.signature import InputSignature, Signature
from sequela.errors import DoesNotFit
from sequela.explain.ports import PaddingRows
from sequela.explain.schema import InputSchema, Role
from sequela.timeshap.cells import Cells


@dataclass(frozen=True, slots=True)
class Feeder:
    """Makes a model's inputs.

    Attributes:
        inputs: The inputs as the schema describes them, in its order.
        signature: The inputs as the model has them, in the server's order of axes.

    Initial states are not made here, because they need the model's own order of axes.
    """

    inputs: Sequence[InputSchema]
    signature: Signature

    def feeds(self, batch: Cells, padding: PaddingRows) -> dict[str, NDArray[Any]]:
        """Returns the inputs by name. Batch and padding are as in `LocalModel.run`.

        Raises:
            DoesNotFit: VALUE_OUT_OF_RANGE for a value that an input's element type does not hold.
        """
        rows, before, after = len(batch.events[0]), len(padding.before[0]), len(padding.after[0])
        # Masks mark the padding on both sides of the events.
        is_event = np.repeat([0, 1, 0], [before, batch.length, after])
        values_by_role: dict[Role, Iterator[NDArray[Any]]] = {
            Role.EVENTS: iter(batch.between(padding.before, padding.after).events),
            Role.STATIC: iter(batch.static),
        }
        feeds = {}
        for item in self.inputs:
            if item.role is Role.STATE:  # filled in by nodes of the graph, or by the endpoint's adapter
                continue
            if item.role is Role.MASK:
                values = np.broadcast_to(_mask(item, is_event), (rows, len(is_event)))
            elif item.role is Role.LENGTH:
                values = np.full((rows, 1), batch.length)
            else:
                values = next(values_by_role[item.role])
            feeds[item.name] = to_input_array(values, self.signature_of(item))
        return feeds

    def signature_of(self, item: InputSchema) -> InputSignature:
        """Returns the signature of a schema's input."""
        return next(seen for seen in self.signature.inputs if seen.name == item.name)


def _mask(item: InputSchema, is_event: NDArray[Any]) -> NDArray[Any]:
    """Returns 1 for an event and 0 for padding, or the schema's value for padding and 0 for an event."""
    return np.where(is_event, 0.0, item.pad_value) if item.pad_value else is_event


def to_input_array(values: NDArray[Any], seen: InputSignature) -> NDArray[Any]:
    """Converts values to an input's rank and element type; an input of one column may lack the column axis.

    Raises:
        DoesNotFit: VALUE_OUT_OF_RANGE for a value that a small element type does not hold.
    """
    flat = values if values.ndim == len(seen.axes) else values[..., 0]
    # Both are strings: schema types are named as numpy names them.
    if seen.numpy_type != seen.dtype:
        _check_range(flat, seen)
    return np.ascontiguousarray(flat, dtype=seen.numpy_type)


def _check_range(values: NDArray[Any], seen: InputSignature) -> None:
    """Checks that values fit a smaller type than the schema's. A cast would make them infinite or other numbers."""
    wanted = np.dtype(seen.numpy_type)
    limits = np.finfo(wanted) if wanted.kind == "f" else np.iinfo(wanted)
    outside = (values < limits.min) | (values > limits.max)
    if outside.any():
        text = (
            f"input {seen.name!r} takes {wanted.name}, from {limits.min} to {limits.max}, so "
            f"{values[outside][0]} does not fit"
        )
        raise DoesNotFit("VALUE_OUT_OF_RANGE", text)
