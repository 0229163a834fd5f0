"""What every value of a graph looks like, seen by running the graph on a few sequences.

Exporters build shapes out of other shapes; to see them costs less, and proves more, than to infer them.
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
"""Numbers of events. An axis that follows them lies over time; a hidden size does not. None is below those that
the model was tried at: onnxruntime aborts the process at a recurrent node that a graph leaves no events for.
"""
LONG_LENGTH = 97
MIN_FIXED_EVENTS = 4
MAX_EVENTS = 2**30
"""More events than any sequence has, and fewer than the ends that exporters write for "all": those start at
2³¹ - 1.
"""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedValues:
    """The values of a graph at each of these lengths, and its constants. It is never run on more than `most`
    events.
    """

    lengths: tuple[int, ...]
    max_events: int
    runs: tuple[Mapping[str, Any], ...]
    constants: Mapping[str, TensorProto]

    def __contains__(self, name: str) -> bool:
        """Whether it was seen."""
        return name in self.constants or name in self.runs[0]

    def shapes(self, name: str) -> tuple[Shape, ...]:
        """One for each length. Raises LeftWhole for what is no tensor."""
        if name in self.constants:
            return (tuple(self.constants[name].dims),) * len(self.runs)
        return tuple(array.shape for array in self.arrays(name))

    def arrays(self, name: str) -> tuple[Array, ...]:
        """One for each length. Raises LeftWhole for what is no tensor."""
        if name in self.constants:
            return (numpy_helper.to_array(self.constants[name]),) * len(self.runs)
        arrays = tuple(array for run in self.runs if isinstance(array := run.get(name), np.ndarray))
        if len(arrays) < len(self.runs):
            raise NotStateful(f"value {name!r} is not a tensor")
        return arrays

    def affine(self, name: str) -> AffineArray | None:
        """Its numbers for any number of events; None where they do not follow it in a line."""
        return fit_affine(self.arrays(name), self.lengths, self.max_events)

    def is_same_at_all_lengths(self, name: str) -> bool:
        """Whether the value is the same at every length seen."""
        first, *others = self.arrays(name)
        return all(np.array_equal(first, other) for other in others)


def with_all_outputs(model: ModelProto, nodes: Sequence[NodeProto]) -> ModelProto:
    """The model with every value of these nodes as an output."""
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    names = dict.fromkeys(name for node in nodes for name in node.output if name)
    del rewritten.graph.output[:]
    del rewritten.graph.value_info[:]
    rewritten.graph.output.extend(ValueInfoProto(name=name) for name in names)
    return rewritten


def observed_lengths(fixed: int | None) -> tuple[int, ...]:
    """The numbers of events to look at. A graph made for a fixed number is made for no more, and for few less."""
    if fixed is None:
        return (*SHORT_LENGTHS, LONG_LENGTH)
    longest = min(max(fixed, MIN_FIXED_EVENTS), LONG_LENGTH)
    return (longest, longest - 1, longest - 2)


def observe_values(
    watching: ModelProto, session: Session, feeds: Mapping[int, Feeds], fixed: int | None
) -> ObservedValues:
    """Runs a watched model on feeds of `observed_lengths`. Raises DoesNotFit where it fails."""
    names = [output.name for output in watching.graph.output]
    runs = tuple(
        {**fed, **dict(zip(names, session.fetch(names, fed), strict=True))} for fed in feeds.values()
    )
    most = MAX_EVENTS if fixed is None else max(fixed, *feeds)
    return ObservedValues(
        tuple(feeds), most, runs, {tensor.name: tensor for tensor in watching.graph.initializer}
    )
