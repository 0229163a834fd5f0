"""A model seen from outside: names, element types and axes of what it takes, names of what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sequela.explain.schema import Dtype

AxisSize = int | str | None
"""A fixed size, a named free axis, or a free axis without a name."""


def format_axes(axes: tuple[AxisSize, ...]) -> str:
    """`(n, l, 4)`"""
    return "(" + ", ".join("?" if axis is None else str(axis) for axis in axes) + ")"


@dataclass(frozen=True, slots=True)
class InputSignature:
    """An input: its element type as schemas name it and as numpy does, and its axes, the batch first."""

    name: str
    dtype: Dtype
    numpy_type: str
    axes: tuple[AxisSize, ...]

    @property
    def rank(self) -> int:
        """Number of axes, the batch included."""
        return len(self.axes)

    @property
    def description(self) -> str:
        """`(n, l, 4)`"""
        return format_axes(self.axes)


class Content(Enum):
    """What an output holds."""

    FLOATS = auto()
    WHOLE_NUMBERS = auto()  # integers and booleans: a class label, as a rule
    NOT_NUMERIC = auto()  # texts, lists, maps
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class OutputSignature:
    """An output: its name, what it holds, that in the model's own words (`int64`), and its axes, the batch first (None:
    not told). `final_state`: it is the last state of a recurrent node.
    """

    name: str
    content: Content = Content.UNKNOWN
    element: str = ""
    axes: tuple[AxisSize, ...] | None = None
    final_state: bool = False

    @property
    def description(self) -> str:
        """`'label' int64 (n)`"""
        parts = [repr(self.name), self.element, "" if self.axes is None else format_axes(self.axes)]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Signature:
    """A model seen from outside; outputs are in the model's order."""

    inputs: tuple[InputSignature, ...]
    outputs: tuple[OutputSignature, ...]
