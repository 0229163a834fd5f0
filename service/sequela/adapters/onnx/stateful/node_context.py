"""A node together with what is known of its inputs, for the rules of operators."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto, helper

from sequela.adapters.model_io.outputs import Shape
from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS, describe_node
from sequela.adapters.onnx.stateful import NotStateful
from sequela.adapters.onnx.stateful.affine import AffineArray, Array
from sequela.adapters.onnx.stateful.observed_values import ObservedValues
from sequela.adapters.onnx.stateful.time_dependence import (
    Constant,
    LastEvent,
    LengthDependent,
    PerEvent,
    TimeDependence,
)

LENGTH_USED = "depends on the number of events"


@dataclass(frozen=True, slots=True, eq=False)
class NodeContext:
    """A node, the labels of its inputs (None where an optional input is left out), and the observed values.

    Inputs are named by their index among the node's inputs, as in the operator's specification.
    """

    proto: NodeProto
    opset: int
    labels: tuple[TimeDependence | None, ...]
    observed: ObservedValues

    @property
    def operator(self) -> str:
        """The operator's name, with the domain unless it is ONNX's own: `GRU`, `com.microsoft.QuickGelu`."""
        domain = "" if self.proto.domain in STANDARD_DOMAINS else f"{self.proto.domain}."
        return domain + self.proto.op_type

    @property
    def statics(self) -> frozenset[str]:
        """The static inputs of the model that reach any input."""
        return frozenset().union(*(label.statics for label in self.labels if label))

    @property
    def per_event_inputs(self) -> dict[int, PerEvent]:
        """The inputs with a part for each event, by index."""
        return {index: label for index, label in enumerate(self.labels) if isinstance(label, PerEvent)}

    @property
    def output_names(self) -> list[str]:
        """The outputs that are not left out."""
        return [name for name in self.proto.output if name]

    def attribute(self, name: str, default: Any = None) -> Any:
        """Returns the value of an attribute."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def has(self, index: int) -> bool:
        """Returns whether an optional input is given."""
        return index < len(self.proto.input) and bool(self.proto.input[index])

    def shapes(self, index: int) -> tuple[Shape, ...]:
        """Returns the shapes of an input, one for each observed length."""
        return self.observed.shapes(self.proto.input[index])

    def rank(self, index: int) -> int:
        """Returns the number of axes of an input."""
        return len(self.shapes(index)[0])

    def output_shapes(self) -> tuple[Shape, ...]:
        """Returns the shapes of the first output, one for each observed length."""
        return self.observed.shapes(self.proto.output[0])

    def arrays(self, index: int) -> tuple[Array, ...]:
        """Returns the values of a parameter, one array for each observed length.

        Raises:
            NotStateful: The input is not known for every number of events.
        """
        match self.labels[index]:
            case PerEvent() | LastEvent():
                raise self.refusal("selects by values of the events")
            case LengthDependent():
                raise self.refusal(LENGTH_USED)
            # A static input differs between requests, so its observed value proves nothing.
            case Constant(statics) if statics:
                raise self.refusal("selects by a static input")
        return self.observed.arrays(self.proto.input[index])

    def affine(self, index: int) -> AffineArray:
        """Returns the values of a parameter as a function of the number of events.

        Raises NotStateful as `arrays` does.
        """
        self.arrays(index)
        values = self.observed.affine(self.proto.input[index])
        if values is None:
            raise self.refusal("selects by values that are not whole numbers")
        return values

    def integers(self, index: int, name: str) -> list[int] | None:
        """Returns a parameter that is an attribute in older opsets and a constant input in newer ones.

        Returns None if the node does not have it.
        """
        if not self.has(index):
            return None if self.attribute(name) is None else list(self.attribute(name))
        if not isinstance(self.labels[index], Constant):
            raise self.refusal(f"takes {name} that depend on the number of events")
        return [int(value) for value in self.arrays(index)[0].reshape(-1)]

    def refusal(self, why: str) -> NotStateful:
        """Returns the error because of which the graph is run whole: the node's name, then `why`."""
        return NotStateful(f"{describe_node(self.proto)} {why}")


def first_input(node: NodeContext) -> PerEvent:
    """Returns the label of the first input. Raises NotStateful if that input has no part for each event."""
    label = node.labels[0]
    if not isinstance(label, PerEvent):
        raise node.refusal("takes a parameter from the events")
    return label


def positive_axis(node: NodeContext, axis: int) -> int:
    """Returns an axis of the first input, counted from the front."""
    return int(axis) % max(node.rank(0), 1)


def length_axis(node: NodeContext, shapes: Sequence[Shape]) -> int | None:
    """Returns the one axis whose size is the number of events, or None if no size depends on it.

    Raises:
        NotStateful: Several axes depend on the number of events, or one does in another way.
    """
    if len({len(shape) for shape in shapes}) > 1:
        raise node.refusal("gives a number of axes that depends on the number of events")
    axes = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1]
    if not axes:
        return None
    if len(axes) > 1 or [shape[axes[0]] for shape in shapes] != list(node.observed.lengths):
        raise node.refusal("gives a shape that does not follow the number of events")
    return axes[0]


def reshape_label(
    node: NodeContext, label: PerEvent, before: Sequence[Shape], after: Sequence[Shape]
) -> PerEvent:
    """Returns the label after a reshape, which keeps the order of the numbers and so the stride between events.

    Args:
        node: The node that reshapes.
        label: The label of its input.
        before: The input's shape at each observed length.
        after: The output's shape at each observed length.

    Raises:
        NotStateful: No axis, or more than one, may hold the events.
    """
    possible = [
        set(_possible_axes(new, label.inner * math.prod(old[label.axis + 1 :]), length))
        for length, old, new in zip(node.observed.lengths, before, after, strict=True)
    ]
    common = possible[0].intersection(*possible[1:])
    # Several lengths were observed because one alone often leaves more than one axis possible.
    if len(common) != 1:
        raise node.refusal("reshapes events so that they lie along no single axis")
    ((axis, inner),) = common
    return PerEvent(label.statics, axis, inner)


def _possible_axes(shape: Shape, stride: int, length: int) -> Iterator[tuple[int, int]]:
    """Yields axes, and strides within them, along which `length` events at a distance of `stride` numbers may lie."""
    for axis, size in enumerate(shape):
        axis_stride = math.prod(shape[axis + 1 :])
        # Events lie along an axis if its stride divides theirs, and if it has room for all of them.
        if axis_stride and stride % axis_stride == 0 and size % (stride // axis_stride * length) == 0:
            yield axis, stride // axis_stride
