"""What the graph behind a model does with its inputs, as far as it tells what they carry."""

from __future__ import annotations

from dataclasses import dataclass

from sequela.adapters.model_io.signature import AxisSize
from sequela.explain.schema import Axis


@dataclass(frozen=True, slots=True)
class StateUse:
    """An input that a recurrent node starts from. `batch` is its axis that counts sequences, `sizes` what is known of
    all its axes.
    """

    batch: int
    sizes: tuple[AxisSize, ...]


@dataclass(frozen=True, slots=True)
class InputUse:
    """How a node reads an input: `axes` in the input's own order (none: a convolution over several axes, as over an
    image), or as an initial state. `node` is named for people; `recurrent`: it runs over time, so that its axes are
    certain; a convolution may be meant to run over columns. `lengths`: it takes the input for numbers of real events.
    """

    node: str
    axes: tuple[Axis, ...] = ()
    recurrent: bool = False
    lengths: bool = False
    state: StateUse | None = None
