"""Finds out which axes of an event input count sequences, events and columns.

Most models take (batch, time, columns). Another order is recognised only if no other reading is possible, or if the
graph itself shows it. If only a run of the model can show it, an alternative is kept for the trial.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sequela.adapters.model_io.arrangement import CHANNELS_FIRST, SERVER_AXES, TIME_FIRST
from sequela.adapters.model_io.axis_names import axis_meaning
from sequela.adapters.model_io.input_use import InputUse
from sequela.adapters.model_io.signature import AxisSize, InputSignature
from sequela.errors import InvalidInput
from sequela.explain.schema import Axis, InputSchema, Role

AxisOrder = tuple[Axis, ...]
ORDERS: dict[int, tuple[AxisOrder, ...]] = {
    3: (SERVER_AXES[Role.EVENTS], CHANNELS_FIRST, TIME_FIRST),
    2: ((Axis.BATCH, Axis.TIME), (Axis.TIME, Axis.BATCH), (Axis.TIME, Axis.FEATURES)),
}
"""The orders that are considered, by number of axes; the usual one first."""


@dataclass(frozen=True, slots=True)
class EventAxes:
    """The order of an input's axes, and an alternative if a trial has to show which of the two it is."""

    order: AxisOrder
    alternative: AxisOrder | None = None


class UndecidedAxes(Exception):
    """Channels first is likely, but the usual order is possible, so a schema has to say which it is."""

    def __init__(self, item: InputSignature, use: InputUse, width: int | None) -> None:
        super().__init__(item.name)
        self.item, self.use, self.width = item, use, width

    def refusal(self, path: str, schema_text: Callable[[InputSchema], str]) -> InvalidInput:
        """Returns the error for the caller, with a schema for each reading.

        Args:
            path: The field of the request that the error names.
            schema_text: Writes the schema's inputs with the given entry for this one.
        """
        orders = (CHANNELS_FIRST, SERVER_AXES[Role.EVENTS])
        channels_first, usual = (schema_text(self.entry_of(self.item, order)) for order in orders)
        text = (
            f"input {self.item.name!r} {self.item.description} goes into {self.use.node}, which runs along its last "
            "axis. Probably its columns come before its events (channels first). If so, write in a schema: "
            f"{channels_first}; or, if events come first: {usual}"
        )
        return InvalidInput.at(path, "SCHEMA_NEEDED", text)

    def entry_of(self, item: InputSignature, order: AxisOrder) -> InputSchema:
        """Returns the schema entry of an event input whose axes are in this order."""
        columns = item.axes[order.index(Axis.FEATURES)]
        width = columns if isinstance(columns, int) else self.width or 1
        return InputSchema(item.name, Role.EVENTS, item.dtype, width, axes=order)


def event_axes(item: InputSignature, use: InputUse | None, width: int | None) -> EventAxes:
    """Finds the order of an event input's axes.

    Args:
        item: The input, in the model's own order.
        use: How the graph uses it, if that is known.
        width: Its number of columns, if a schema states it.

    Raises:
        UndecidedAxes: Two orders are possible and neither the graph nor a trial can tell which it is.
    """
    usual = ORDERS.get(item.rank, (SERVER_AXES[Role.EVENTS],))[0]
    possible = [order for order in ORDERS.get(item.rank, ()) if _is_possible(order, item, width)]
    used = use.axes if use and use.axes in possible else None
    if usual not in possible:
        order = used or (possible[0] if possible else usual)
        return EventAxes(order, usual if _is_misnamed(item, use, usual) and order != usual else None)
    if len(possible) < 2:
        return EventAxes(usual)
    time_first = TIME_FIRST[: item.rank]
    if used is None or used == usual:
        may_be_time_first = used is None and item.rank == 3 and time_first in possible
        return EventAxes(usual, time_first if may_be_time_first else None)
    assert use is not None
    # (n, 1, l) has one column, and a recurrent node is certain of its axes; a convolution may run along columns.
    if item.axes[1] == 1 or (used == CHANNELS_FIRST and use.recurrent):
        return EventAxes(used)
    if used == CHANNELS_FIRST:
        raise UndecidedAxes(item, use, width)
    return EventAxes(usual, used)


def _is_misnamed(item: InputSignature, use: InputUse | None, order: AxisOrder) -> bool:
    """Returns whether a recurrent node shows this order, though the names of the axes say otherwise."""
    return use is not None and use.recurrent and use.axes == order and isinstance(item.axes[-1], int)


def _is_possible(order: AxisOrder, item: InputSignature, width: int | None) -> bool:
    """Returns whether names and sizes of the axes allow this order."""
    if item.rank == 2 and order[0] is Axis.TIME:  # Unusual enough to need a name.
        several = isinstance(item.axes[1], int) and item.axes[1] > 1
        if axis_meaning(item.axes[0]) is not Axis.TIME or several != (order[1] is Axis.FEATURES):
            return False
    for axis, size in zip(order, item.axes, strict=True):
        # A name that means something else rules this order out.
        if axis_meaning(size) not in (None, axis):
            return False
        if axis is Axis.FEATURES and not isinstance(size, int) and not (width and _may_be_free(item, size)):
            return False
        if axis is Axis.FEATURES and width and isinstance(size, int) and size != width:
            return False
    return True


def _may_be_free(item: InputSignature, size: AxisSize) -> bool:
    """Returns whether an axis of columns may be free: if all axes are, or if its name says that it counts columns."""
    return axis_meaning(size) is Axis.FEATURES or not any(isinstance(each, int) for each in item.axes)
