"""How the axes of a model's inputs lie, and the way there from the order that this server works in.

Inside the server events are (batch, time, columns), static values (batch, columns), masks (batch, time) and lengths
(batch). A model may have other orders (`InputSchema.axes`) and several axes where the server has one axis of columns
(`InputSchema.shape`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequela.adapters.model_io.signature import AxisSize, InputSignature
from sequela.explain.schema import Axis, InputSchema, Role

CHANNELS_FIRST = (Axis.BATCH, Axis.FEATURES, Axis.TIME)
TIME_FIRST = (Axis.TIME, Axis.BATCH, Axis.FEATURES)
SERVER_AXES: dict[Role, tuple[Axis, ...]] = {
    Role.EVENTS: (Axis.BATCH, Axis.TIME, Axis.FEATURES),
    Role.STATIC: (Axis.BATCH, Axis.FEATURES),
    Role.MASK: (Axis.BATCH, Axis.TIME),
    Role.LENGTH: (Axis.BATCH, Axis.FEATURES),
}
"""The order that the server works in. An input of one column may lack the last axis."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """An input of the model beside the server's own order. `words` name the model's axes, `features` standing once for
    all axes of columns; `columns` are the sizes of these. A model without an axis for sequences takes one in each call.
    """

    model_axes: tuple[Axis, ...]
    server_axes: tuple[Axis, ...]
    columns: tuple[AxisSize, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """For each axis of the model, its place among the server's axes, whose columns are not merged."""
        outer = [word for word in self.server_axes if word is not Axis.FEATURES and word in self.model_axes]
        first = len(outer)
        places: list[int] = []
        for word in self.model_axes:
            if word is Axis.FEATURES:
                places += range(first, first + len(self.columns))
            else:
                places.append(outer.index(word))
        return tuple(places)

    @property
    def is_server_order(self) -> bool:
        """Whether the model takes what the server works with as it is."""
        in_order = self.order == tuple(range(len(self.order))) and len(self.columns) <= 1
        return in_order and not self.lacks_batch_axis

    @property
    def lacks_batch_axis(self) -> bool:
        """Whether the model has no axis for sequences."""
        return bool(self.model_axes) and Axis.BATCH not in self.model_axes

    def to_model_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values in the server's order, as the model takes them."""
        if self.is_server_order:
            return values
        outer = values.shape[: sum(word is not Axis.FEATURES for word in self.server_axes)]
        sizes = [size for size in self.columns if isinstance(size, int)]
        split = values.reshape((*outer, *sizes)) if len(sizes) > 1 else values
        return np.ascontiguousarray(split.transpose(self.order))


def arrange(item: InputSchema, seen: InputSignature) -> tuple[Arrangement, InputSignature]:
    """The arrangement of an input, and the input as the server works with it; of a state, and of an input that cannot
    have its role, as it is.
    """
    server_axes = SERVER_AXES.get(item.role, ())
    model_axes = item.axes or server_axes
    outer = [word for word in model_axes if word is not Axis.FEATURES]
    count = seen.rank - len(outer)
    most = {Role.MASK: 0, Role.LENGTH: 1}.get(item.role, count)
    if item.axes and Axis.FEATURES not in model_axes:
        most = 0
    if not server_axes or not 0 <= count <= most:
        return Arrangement((), (), ()), seen
    if count == 0:
        model_axes = tuple(outer)
    start = model_axes.index(Axis.FEATURES) if Axis.FEATURES in model_axes else seen.rank
    columns = item.shape if len(item.shape) == count else seen.axes[start : start + count]
    found = Arrangement(model_axes, server_axes, columns)
    places = dict(zip(found.order, seen.axes, strict=True))
    before = tuple(places[place] for place in range(len(outer)))
    if found.lacks_batch_axis:
        before = (1, *before)
    return found, InputSignature(seen.name, seen.dtype, seen.numpy_type, (*before, *_merged(columns)))


def _merged(columns: Sequence[AxisSize]) -> tuple[AxisSize, ...]:
    if len(columns) < 2:
        return tuple(columns)
    sizes = [size for size in columns if isinstance(size, int)]
    return (math.prod(sizes) if len(sizes) == len(columns) else None,)
