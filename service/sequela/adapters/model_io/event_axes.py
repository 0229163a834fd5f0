"""Which axes of an event input count sequences, events and columns.

Most models take (batch, time, columns). Another order is recognised only where no other reading is possible, or where
the graph itself tells; what a trial must tell is left to it.
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

Order = tuple[Axis, ...]
ORDERS: dict[int, tuple[Order, ...]] = {
    3: (SERVER_AXES[Role.EVENTS], CHANNELS_FIRST, TIME_FIRST),
    2: ((Axis.BATCH, Axis.TIME), (Axis.TIME, Axis.BATCH), (Axis.TIME, Axis.FEATURES)),
}


@dataclass(frozen=True, slots=True)
class EventAxes:
    """The order of an input's axes, and another one that a trial should tell from it."""

    order: Order
    alternative: Order | None = None


class UndecidedAxes(Exception):
    """Channels first is likely, the usual order is possible: only a schema can say."""

    def __init__(self, item: InputSignature, use: InputUse, width: int | None) -> None:
        super().__init__(item.name)
        self.item, self.use, self.width = item, use, width

    def refusal(self, path: str, pasted: Callable[[InputSchema], str]) -> InvalidInput:
        """`pasted` gives what to write in a schema where the input is as given."""
        orders = (CHANNELS_FIRST, SERVER_AXES[Role.EVENTS])
        likely, usual = (pasted(self.like(self.item, order)) for order in orders)
        text = (
            f"input {self.item.name!r} {self.item.description} goes into {self.use.node}, which runs along its "
            "last axis: "
            f"probably its columns come before its events (channels first). Say so in a schema: {likely}; "
            f"or, if events come first: {usual}"
        )
        return InvalidInput.at(path, "SCHEMA_NEEDED", text)

    def like(self, item: InputSignature, order: Order) -> InputSchema:
        """The entry of an event input whose axes are in this order."""
        columns = item.axes[order.index(Axis.FEATURES)]
        width = columns if isinstance(columns, int) else self.width or 1
        return InputSchema(item.name, Role.EVENTS, item.dtype, width, axes=order)


def event_axes(item: InputSignature, use: InputUse | None, width: int | None) -> EventAxes:
    """Of an event input; `width` is its number of columns where a schema says it. Raises UndecidedAxes."""
    usual = ORDERS.get(item.rank, ((Axis.BATCH, Axis.TIME, Axis.FEATURES),))[0]
    possible = [order for order in ORDERS.get(item.rank, ()) if _is_possible(order, item, width)]
    used = use.axes if use and use.axes in possible else None
    if len(possible) < 2:
        return EventAxes(possible[0] if possible else usual)
    if usual not in possible:
        return EventAxes(used or possible[0])
    turned = TIME_FIRST[: item.rank]
    if used is None or used == usual:
        return EventAxes(usual, turned if used is None and item.rank == 3 and turned in possible else None)
    assert use is not None
    if item.axes[1] == 1 or (used == CHANNELS_FIRST and use.recurrent):
        return EventAxes(used)
    if used == CHANNELS_FIRST:
        raise UndecidedAxes(item, use, width)
    return EventAxes(usual, used)


def _is_possible(order: Order, item: InputSignature, width: int | None) -> bool:
    if item.rank == 2 and order[0] is Axis.TIME:  # unusual enough to need a name
        several = isinstance(item.axes[1], int) and item.axes[1] > 1
        if axis_meaning(item.axes[0]) is not Axis.TIME or several != (order[1] is Axis.FEATURES):
            return False
    for word, size in zip(order, item.axes, strict=True):
        if axis_meaning(size) not in (None, word):
            return False
        if word is Axis.FEATURES and not isinstance(size, int) and not (width and _may_be_free(item, size)):
            return False
        if word is Axis.FEATURES and width and isinstance(size, int) and size != width:
            return False
    return True


def _may_be_free(item: InputSignature, size: AxisSize) -> bool:
    """Columns are fixed, unless all axes are free or the axis is named after them."""
    return axis_meaning(size) is Axis.FEATURES or not any(isinstance(each, int) for each in item.axes)
