"""How the values of a graph depend on time: what every event has of its own, and what the last one leaves.

Running a graph from states is exact when, with the recurrent nodes' states given, its output at an event
depends on that event alone. So every value is labelled, from the inputs on, and an operator is let through
only where its rule says what comes out (`onnx_time_rules`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from onnx import NodeProto, helper

from sequela.adapters.model_io.outputs import Shape
from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS, describe_node
from sequela.adapters.onnx.stateful import NotStateful
from sequela.adapters.onnx.stateful.affine import AffineArray, Array
from sequela.adapters.onnx.stateful.observed_values import ObservedValues


@dataclass(frozen=True, slots=True)
class Constant:
    """The same for every event and any number of them; `statics` are the static inputs it depends on."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AffineInLength:
    """Whole numbers, each a + b · l for l events."""

    @property
    def statics(self) -> frozenset[str]:
        """No static input reaches it."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class LengthDependent:
    """May depend on the number of events in any way, and on no event's values."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PerEvent:
    """Has a part for each event, which depends on this event, on states and on static inputs.

    Events lie along `axis`. Where it was merged with others, event t is at index
    (outer · l + t) · inner + rest.
    """

    statics: frozenset[str]
    axis: int
    inner: int = 1


@dataclass(frozen=True, slots=True)
class LastEvent:
    """What is there after the last event: depends on it, on states and on static inputs."""

    statics: frozenset[str]


TimeDependence: TypeAlias = Constant | AffineInLength | LengthDependent | PerEvent | LastEvent


@dataclass(frozen=True, slots=True, eq=False)
class NodeContext:
    """A node, the labels of its inputs (None where it is left out), and what was observed."""

    proto: NodeProto
    opset: int
    labels: tuple[TimeDependence | None, ...]
    observed: ObservedValues

    @property
    def operator(self) -> str:
        """`GRU`, or `com.microsoft.QuickGelu`."""
        domain = "" if self.proto.domain in STANDARD_DOMAINS else f"{self.proto.domain}."
        return domain + self.proto.op_type

    @property
    def statics(self) -> frozenset[str]:
        """The static inputs that reach it."""
        return frozenset().union(*(label.statics for label in self.labels if label))

    @property
    def per_event_inputs(self) -> dict[int, PerEvent]:
        """The inputs with a part for each event, by place."""
        return {place: label for place, label in enumerate(self.labels) if isinstance(label, PerEvent)}

    def attribute(self, name: str, default: Any = None) -> Any:
        """Its value."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def has(self, place: int) -> bool:
        """Whether an optional input is given."""
        return place < len(self.proto.input) and bool(self.proto.input[place])

    def shapes(self, place: int) -> tuple[Shape, ...]:
        """Of an input, one for each observed length."""
        return self.observed.shapes(self.proto.input[place])

    def rank(self, place: int) -> int:
        """Of an input."""
        return len(self.shapes(place)[0])

    def arrays(self, place: int) -> tuple[Array, ...]:
        """An input known for any number of events, one array for each observed length."""
        match self.labels[place]:
            case PerEvent() | LastEvent():
                raise self.refusal("is told by the events what to take")
            case LengthDependent():
                raise self.refusal("uses the number of events")
            case Constant(statics) if statics:
                raise self.refusal("is told by a static input what to take")
        return self.observed.arrays(self.proto.input[place])

    def affine(self, place: int) -> AffineArray:
        """The same, for any number of events."""
        self.arrays(place)
        lines = self.observed.affine(self.proto.input[place])
        if lines is None:
            raise self.refusal("is not told in whole numbers what to take")
        return lines

    def integers(self, place: int, name: str) -> list[int] | None:
        """A parameter that is an attribute in older opsets and a constant input in newer ones."""
        if not self.has(place):
            return None if self.attribute(name) is None else list(self.attribute(name))
        if not isinstance(self.labels[place], Constant):
            raise self.refusal(f"takes {name} that depend on the number of events")
        return [int(value) for value in self.arrays(place)[0].reshape(-1)]

    @property
    def output_names(self) -> list[str]:
        """The names of those that are given."""
        return [name for name in self.proto.output if name]

    def outputs(self) -> tuple[Shape, ...]:
        """Shapes of the first output, one for each observed length."""
        return self.observed.shapes(self.proto.output[0])

    def refusal(self, why: str) -> NotStateful:
        """The reason to leave the graph whole."""
        return NotStateful(f"{describe_node(self.proto)} {why}")


def with_axis(label: PerEvent, axis: int) -> PerEvent:
    """The same with time along another axis."""
    return replace(label, axis=axis)


def reshape_label(
    node: NodeContext, label: PerEvent, before: Sequence[Shape], after: Sequence[Shape]
) -> PerEvent:
    """Where time lies when the same numbers, in the same order, get another shape: its stride is kept."""
    found = [
        set(_possible_axes(new, label.inner * math.prod(old[label.axis + 1 :]), length))
        for length, old, new in zip(node.observed.lengths, before, after, strict=True)
    ]
    places = found[0].intersection(*found[1:])
    if len(places) != 1:
        raise node.refusal("tears events apart")
    ((axis, inner),) = places
    return PerEvent(label.statics, axis, inner)


def _possible_axes(shape: Shape, stride: int, length: int) -> Iterator[tuple[int, int]]:
    """Axes, and strides within them, that steps of `stride` between `length` events may lie along."""
    for axis, size in enumerate(shape):
        walk_nodes = math.prod(shape[axis + 1 :])
        if walk_nodes and stride % walk_nodes == 0 and size % (stride // walk_nodes * length) == 0:
            yield axis, stride // walk_nodes


def matches_shapes(label: PerEvent, observed: ObservedValues, shapes: Sequence[Shape]) -> bool:
    """Whether the axis has room for the events and follows their number, and no other axis does."""
    axis, first_input = label.axis, shapes[0]
    share, rest = divmod(first_input[axis], observed.lengths[0])
    if rest or share % label.inner:
        return False
    wanted = ((*first_input[:axis], share * length, *first_input[axis + 1 :]) for length in observed.lengths)
    return list(shapes) == list(wanted)


def holds_only_events(label: PerEvent, observed: ObservedValues, shapes: Sequence[Shape]) -> bool:
    """Whether the axis holds the events and nothing else."""
    return [shape[label.axis] for shape in shapes] == list(observed.lengths)


def length_axis(node: NodeContext, shapes: Sequence[Shape]) -> int | None:
    """The one axis whose size is the number of events; None where no size depends on it."""
    if len({len(shape) for shape in shapes}) > 1:
        raise node.refusal("gives a rank that depends on the number of events")
    axes = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1]
    if not axes:
        return None
    if len(axes) > 1 or [shape[axes[0]] for shape in shapes] != list(node.observed.lengths):
        raise node.refusal("gives a shape that does not follow the number of events")
    return axes[0]


def first_input(node: NodeContext) -> PerEvent:
    """The label of the first input, which must have time."""
    label = node.labels[0]
    if not isinstance(label, PerEvent):
        raise node.refusal("is told by the events what to do")
    return label


def positive_axis(node: NodeContext, axis: int) -> int:
    """Counted from the front, in the first input."""
    return int(axis) % max(node.rank(0), 1)
