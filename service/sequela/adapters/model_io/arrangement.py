"""Converts between the server's order of axes and a model's.

Inside the server events are (batch, time, columns), static values (batch, columns), masks (batch, time) and lengths
(batch). A model may have its axes in another order (`InputSchema.axes`), and several axes where the server has one axis
of columns (`InputSchema.shape`).
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
    """The order of one input's axes in the model and in the server.

    Attributes:
        model_axes: What the model's axes count, in its order; `features` stands once for all axes of columns. A model
            without a batch axis takes one sequence in each call.
        server_axes: What the server's axes count, in its order.
        columns: The sizes of the model's axes of columns.
    """

    model_axes: tuple[Axis, ...]
    server_axes: tuple[Axis, ...]
    columns: tuple[AxisSize, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """For each axis of the model, its index among the server's axes, if columns are not merged into one."""
        outer = [axis for axis in self.server_axes if axis is not Axis.FEATURES and axis in self.model_axes]
        # In the server's order, columns come last.
        first = len(outer)
        indices: list[int] = []
        for axis in self.model_axes:
            if axis is Axis.FEATURES:
                indices += range(first, first + len(self.columns))
            else:
                indices.append(outer.index(axis))
        return tuple(indices)

    @property
    def is_server_order(self) -> bool:
        """Whether the model takes the server's arrays as they are."""
        in_order = self.order == tuple(range(len(self.order))) and len(self.columns) <= 1
        return in_order and not self.lacks_batch_axis

    @property
    def lacks_batch_axis(self) -> bool:
        """Whether the model has no axis for sequences."""
        return bool(self.model_axes) and Axis.BATCH not in self.model_axes

    def to_model_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Converts an array from the server's order to the model's."""
        if self.is_server_order:
            return values
        outer = values.shape[: sum(axis is not Axis.FEATURES for axis in self.server_axes)]
        sizes = [size for size in self.columns if isinstance(size, int)]
        split = values.reshape((*outer, *sizes)) if len(sizes) > 1 else values
        return np.ascontiguousarray(split.transpose(self.order))


def arrange(item: InputSchema, seen: InputSignature) -> tuple[Arrangement, InputSignature]:
    """Finds the arrangement of an input.

    Args:
        item: The input as the schema describes it.
        seen: The input as the model has it.

    Returns:
        The arrangement, and the input's signature in the server's order. A state, and an input whose axes do not fit
        its role, are left as they are; `schema_check` reports the latter.
    """
    server_axes = SERVER_AXES.get(item.role, ())
    model_axes = item.axes or server_axes
    outer = [axis for axis in model_axes if axis is not Axis.FEATURES]
    count = seen.rank - len(outer)
    # Masks have no columns, and lengths have one at most.
    most = {Role.MASK: 0, Role.LENGTH: 1}.get(item.role, count)
    # A schema that lists the axes without `features` says that there is no axis of columns.
    if item.axes and Axis.FEATURES not in model_axes:
        most = 0
    if not server_axes or not 0 <= count <= most:
        return Arrangement((), (), ()), seen
    # Without an axis of columns the input has one column.
    if count == 0:
        model_axes = tuple(outer)
    start = model_axes.index(Axis.FEATURES) if Axis.FEATURES in model_axes else seen.rank
    columns = item.shape if len(item.shape) == count else seen.axes[start : start + count]
    arrangement = Arrangement(model_axes, server_axes, columns)
    sizes = dict(zip(arrangement.order, seen.axes, strict=True))
    outer_sizes = tuple(sizes[index] for index in range(len(outer)))
    # The server sends such a model one sequence at a time: a batch of 1.
    if arrangement.lacks_batch_axis:
        outer_sizes = (1, *outer_sizes)
    axes = (*outer_sizes, *_merged_columns(columns))
    return arrangement, InputSignature(seen.name, seen.dtype, seen.numpy_type, axes)


def _merged_columns(columns: Sequence[AxisSize]) -> tuple[AxisSize, ...]:
    if len(columns) < 2:
        return tuple(columns)
    sizes = [size for size in columns if isinstance(size, int)]
    return (math.prod(sizes) if len(sizes) == len(columns) else None,)
