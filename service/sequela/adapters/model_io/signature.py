"""A model's signature: the names, element types and axes of its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from sequela.explain.schema import Dtype

AxisSize = int | str | None
"""The size of an axis: a number, the name of a free axis, or None for a free axis without a name."""


def format_axes(axes: tuple[AxisSize, ...]) -> str:
    """Axes as messages show them: `(n, ?, 4)`."""
    return "(" + ", ".join("?" if axis is None else str(axis) for axis in axes) + ")"


@dataclass(frozen=True, slots=True)
class InputSignature:
    """An input of a model.

    Attributes:
        name: Its name.
        dtype: Its element type as schemas name it.
        numpy_type: Its element type as numpy names it, which may be a smaller one.
        axes: The sizes of its axes, the batch included.
    """

    name: str
    dtype: Dtype
    numpy_type: str
    axes: tuple[AxisSize, ...]

    @property
    def rank(self) -> int:
        """The number of axes, the batch included."""
        return len(self.axes)

    @property
    def description(self) -> str:
        """Its axes: `(n, l, 4)`."""
        return format_axes(self.axes)


class Content(Enum):
    """What an output holds."""

    FLOATS = auto()
    WHOLE_NUMBERS = auto()  # integers and booleans, as a rule class labels
    NOT_NUMERIC = auto()  # strings, lists, maps
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class OutputSignature:
    """An output of a model.

    Attributes:
        name: Its name.
        content: What it holds.
        element: Its element type in the model's own words (`int64`); empty if unknown.
        axes: The sizes of its axes, the batch included; None if unknown.
        final_state: Whether it is the final state of a recurrent layer.
    """

    name: str
    content: Content = Content.UNKNOWN
    element: str = ""
    axes: tuple[AxisSize, ...] | None = None
    final_state: bool = False

    @property
    def description(self) -> str:
        """Its name, type and axes: `'label' int64 (n)`."""
        parts = [repr(self.name), self.element, "" if self.axes is None else format_axes(self.axes)]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Signature:
    """All inputs and outputs of a model, in its own order."""

    inputs: tuple[InputSignature, ...]
    outputs: tuple[OutputSignature, ...]
