"""A batch as a served model takes it: filled up to a fixed number of rows, in the model's order of axes, with the
states that it starts from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.model_interface import Reading
from sequela.adapters.endpoints.transport import Feeds
from sequela.adapters.model_io.arrangement import arrange
from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.signature import InputSignature
from sequela.adapters.model_io.states import state_axes
from sequela.explain.ports import Frame
from sequela.explain.schema import InputSchema, Role
from sequela.timeshap.cells import Cells


def served_feeds(reading: Reading, batch: Cells, frame: Frame) -> Feeds:
    """Values by input name; states come last, so that the first has the batch as its first axis."""
    feeds = _filled(Feeder(reading.schema.inputs, reading.signature).feeds(batch, frame), reading.sizes.batch)
    rows = len(next(iter(feeds.values())))
    served = {item.name: item for item in reading.served.inputs}
    turned = {
        item.name: arrange(item, served[item.name])[0].to_model_order(feeds[item.name])
        for item in reading.schema.inputs
        if item.role is not Role.STATE
    }
    states = (item for item in reading.schema.inputs if item.role is Role.STATE)
    return {**turned, **{item.name: _state(item, served[item.name], rows) for item in states}}


def _state(item: InputSchema, seen: InputSignature, rows: int) -> NDArray[Any]:
    batch, sizes = state_axes(item, seen, None)
    shape = [
        size if isinstance(size, int) else rows if place == batch else 1 for place, size in enumerate(sizes)
    ]
    return np.full(shape, item.initial, dtype=seen.numpy_type)


def _filled(feeds: Feeds, batch: int | None) -> Feeds:
    """As many rows as a fixed batch has; the last one is repeated."""
    if batch is None:
        return feeds
    chosen = np.minimum(np.arange(batch), len(next(iter(feeds.values()))) - 1)
    return {name: values[chosen] for name, values in feeds.items()}
