"""Converts a batch to the form that an endpoint's model takes: a fixed number of rows, the model's order of axes, and
its initial states.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.endpoints.model_interface import ModelInterface
from sequela.adapters.endpoints.transport import Feeds
from sequela.adapters.model_io.arrangement import arrange
from sequela.adapters.model_io.feeds import Feeder
from sequela.adapters.model_io.signature import InputSignature
from sequela.adapters.model_io.states import state_axes
from sequela.explain.ports import PaddingRows
from sequela.explain.schema import InputSchema, Role
from sequela.timeshap.cells import Cells


def endpoint_feeds(interface: ModelInterface, batch: Cells, padding: PaddingRows) -> Feeds:
    """Returns values by input name. Initial states come last, so the first value always has the batch as first axis."""
    feeds = _fill_up(
        Feeder(interface.schema.inputs, interface.signature).feeds(batch, padding), interface.sizes.batch
    )
    rows = len(next(iter(feeds.values())))
    server_inputs = {item.name: item for item in interface.server_signature.inputs}
    rearranged = {
        item.name: arrange(item, server_inputs[item.name])[0].to_model_order(feeds[item.name])
        for item in interface.schema.inputs
        if item.role is not Role.STATE
    }
    states = (item for item in interface.schema.inputs if item.role is Role.STATE)
    return {**rearranged, **{item.name: _state(item, server_inputs[item.name], rows) for item in states}}


def _state(item: InputSchema, seen: InputSignature, rows: int) -> NDArray[Any]:
    batch, sizes = state_axes(item, seen, None)
    shape = [
        size if isinstance(size, int) else rows if place == batch else 1 for place, size in enumerate(sizes)
    ]
    return np.full(shape, item.initial, dtype=seen.numpy_type)


def _fill_up(feeds: Feeds, batch: int | None) -> Feeds:
    """Repeats the last row until a fixed batch is full."""
    if batch is None:
        return feeds
    chosen = np.minimum(np.arange(batch), len(next(iter(feeds.values()))) - 1)
    return {name: values[chosen] for name, values in feeds.items()}
