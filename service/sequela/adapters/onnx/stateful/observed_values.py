"""The values inside a graph, observed by running it on a few short sequences.

Exporters compute shapes from other shapes. Running the graph shows them with less effort, and more certainly, than
shape inference does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from sequela.adapters.model_io.outputs import Shape
from sequela.adapters.onnx.session import Feeds, Session
from sequela.adapters.onnx.stateful import NotStateful
from sequela.adapters.onnx.stateful.affine import AffineArray, Array, fit_affine

OBSERVED_ROWS = 2
SHORT_LENGTHS = (3, 5, 2)
"""Numbers of events. Odd ones, so that an axis that follows them is not a hidden size by chance. None is smaller than
those the model ran at when it was loaded: onnxruntime aborts the process at a recurrent node that is left no events.
"""
LONG_LENGTH = 97
MIN_FIXED_EVENTS = 4
MAX_EVENTS = 2**30
"""More events than any sequence has, but less than the "to the end" that exporters write, 2³¹ - 1 and more."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedValues:
    """Every value of a graph at a few lengths.

    Attributes:
        lengths: The numbers of events the graph was run on.
        max_events: The most events it will ever be run on.
        runs: For each length, the values by name.
        constants: The graph's initializers by name.
    """

    lengths: tuple[int, ...]
    max_events: int
    runs: tuple[Mapping[str, Any], ...]
    constants: Mapping[str, TensorProto]

    def __contains__(self, name: str) -> bool:
        """Returns whether the value was observed."""
        return name in self.constants or name in self.runs[0]

    def shapes(self, name: str) -> tuple[Shape, ...]:
        """Returns the value's shape at each length. Raises NotStateful if it is not a tensor."""
        if name in self.constants:
            return (tuple(self.constants[name].dims),) * len(self.runs)
        return tuple(array.shape for array in self.arrays(name))

    def arrays(self, name: str) -> tuple[Array, ...]:
        """Returns the value at each length. Raises NotStateful if it is not a tensor."""
        if name in self.constants:
            return (numpy_helper.to_array(self.constants[name]),) * len(self.runs)
        arrays = tuple(array for run in self.runs if isinstance(array := run.get(name), np.ndarray))
        if len(arrays) < len(self.runs):
            raise NotStateful(f"value {name!r} is not a tensor")
        return arrays

    def affine(self, name: str) -> AffineArray | None:
        """Returns the value as a function of the number of events, or None if it is not affine in it."""
        return fit_affine(self.arrays(name), self.lengths, self.max_events)

    def is_same_at_all_lengths(self, name: str) -> bool:
        """Returns whether the value was the same at every observed length."""
        first, *others = self.arrays(name)
        return all(np.array_equal(first, other) for other in others)


def with_all_outputs(model: ModelProto, nodes: Sequence[NodeProto]) -> ModelProto:
    """Returns a copy of the model that has every value of these nodes as an output."""
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    names = dict.fromkeys(name for node in nodes for name in node.output if name)
    del rewritten.graph.output[:]
    # Recorded types may contradict the ones that onnxruntime infers, for example where a length was fixed.
    del rewritten.graph.value_info[:]
    rewritten.graph.output.extend(ValueInfoProto(name=name) for name in names)
    return rewritten


def observed_lengths(fixed: int | None) -> tuple[int, ...]:
    """Returns the numbers of events to run a graph on.

    Args:
        fixed: The number of events that the file fixes, if it does. Such a graph was not exported for more events, and
            often fails on far fewer.
    """
    if fixed is None:
        return (*SHORT_LENGTHS, LONG_LENGTH)
    longest = min(max(fixed, MIN_FIXED_EVENTS), LONG_LENGTH)
    return (longest, longest - 1, longest - 2)


def observe_values(
    model: ModelProto, session: Session, feeds: Mapping[int, Feeds], fixed: int | None
) -> ObservedValues:
    """Runs a model made by `with_all_outputs`.

    Args:
        model: The model with all values as outputs.
        session: Runs `model`.
        feeds: Inputs by number of events, for each of `observed_lengths(fixed)`.
        fixed: The number of events that the file fixes, if it does.

    Raises:
        DoesNotFit: The model fails at one of the lengths.
    """
    names = [output.name for output in model.graph.output]
    runs = tuple(
        # Inputs are values of the graph too.
        {**fed, **dict(zip(names, session.fetch(names, fed), strict=True))}
        for fed in feeds.values()
    )
    # A file with a fixed length is never run on more events than that.
    most = MAX_EVENTS if fixed is None else max(fixed, *feeds)
    return ObservedValues(
        tuple(feeds), most, runs, {tensor.name: tensor for tensor in model.graph.initializer}
    )
