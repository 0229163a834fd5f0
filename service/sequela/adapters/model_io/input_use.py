"""How the graph behind a model uses an input, as far as that shows what the input holds."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.adapters.model_io.signature import AxisSize
from sequela.explain.schema import Axis


@dataclass(frozen=True, slots=True)
class StateUse:
    """An input that a recurrent node starts from.

    Attributes:
        batch: The index of its axis that counts sequences.
        sizes: The sizes of all its axes, as far as they are known.
    """

    batch: int
    sizes: tuple[AxisSize, ...]


@dataclass(frozen=True, slots=True)
class InputUse:
    """How a node uses an input.

    Attributes:
        node: The node, as messages name it.
        axes: What the node takes the input's axes for, in the input's own order. Empty for a convolution over several
            axes, as over an image, and for states and lengths.
        recurrent: Whether the node is recurrent, so that `axes` are certain. A convolution may be meant to run along
            columns.
        lengths: Whether the node takes the input for the numbers of real events.
        state: Set if the node takes the input for an initial state.
    """

    node: str
    axes: tuple[Axis, ...] = ()
    recurrent: bool = False
    lengths: bool = False
    state: StateUse | None = None
