"""A model seen from outside: names, element types and axes of what it takes, names of what it gives."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.explaining.schema import Dtype

Axis = int | str | None
"""A fixed size, a named free axis, or a free axis without a name."""


@dataclass(frozen=True, slots=True)
class InputSignature:
    """An input: its element type as schemas name it and as numpy does, and its axes, the batch first."""

    name: str
    dtype: Dtype
    numpy_type: str
    axes: tuple[Axis, ...]

    @property
    def rank(self) -> int:
        """Number of axes, the batch included."""
        return len(self.axes)

    @property
    def shown(self) -> str:
        """`(n, l, 4)`"""
        return "(" + ", ".join("?" if axis is None else str(axis) for axis in self.axes) + ")"


@dataclass(frozen=True, slots=True)
class Signature:
    """A model seen from outside. `outputs` are names, in the model's order."""

    inputs: tuple[InputSignature, ...]
    outputs: tuple[str, ...]
