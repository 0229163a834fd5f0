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
from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS, shown
from sequela.adapters.onnx.stateful.affine import Array, Lines
from sequela.adapters.onnx.stateful.observed_values import Observed
from sequela.adapters.onnx.stateful.refusal import LeftWhole


@dataclass(frozen=True, slots=True)
class Still:
    """The same for every event and any number of them; `statics` are the static inputs it depends on."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Linear:
    """Whole numbers, each a + b · l for l events."""

    @property
    def statics(self) -> frozenset[str]:
        """No static input reaches it."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Counted:
    """May depend on the number of events in any way, and on no event's values."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Timed:
    """Has a part for each event, which depends on this event, on states and on static inputs.

    Events lie along `axis`. Where it was merged with others, event t is at index
    (outer · l + t) · inner + rest.
    """

    statics: frozenset[str]
    axis: int
    inner: int = 1


@dataclass(frozen=True, slots=True)
class Last:
    """What is there after the last event: depends on it, on states and on static inputs."""

    statics: frozenset[str]


Label: TypeAlias = Still | Linear | Counted | Timed | Last


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node, the labels of its inputs (None where it is left out), and what was observed."""

    proto: NodeProto
    opset: int
    labels: tuple[Label | None, ...]
    observed: Observed

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
    def timed(self) -> dict[int, Timed]:
        """The inputs with a part for each event, by place."""
        return {place: label for place, label in enumerate(self.labels) if isinstance(label, Timed)}

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
            case Timed() | Last():
                raise self.refused("is told by the events what to take")
            case Counted():
                raise self.refused("uses the number of events")
            case Still(statics) if statics:
                raise self.refused("is told by a static input what to take")
        return self.observed.arrays(self.proto.input[place])

    def lines(self, place: int) -> Lines:
        """The same, for any number of events."""
        self.arrays(place)
        lines = self.observed.lines(self.proto.input[place])
        if lines is None:
            raise self.refused("is not told in whole numbers what to take")
        return lines

    def integers(self, place: int, name: str) -> list[int] | None:
        """A parameter that is an attribute in older opsets and a constant input in newer ones."""
        if not self.has(place):
            return None if self.attribute(name) is None else list(self.attribute(name))
        if not isinstance(self.labels[place], Still):
            raise self.refused(f"takes {name} that depend on the number of events")
        return [int(value) for value in self.arrays(place)[0].reshape(-1)]

    @property
    def given_outputs(self) -> list[str]:
        """The names of those that are given."""
        return [name for name in self.proto.output if name]

    def outputs(self) -> tuple[Shape, ...]:
        """Shapes of the first output, one for each observed length."""
        return self.observed.shapes(self.proto.output[0])

    def refused(self, why: str) -> LeftWhole:
        """The reason to leave the graph whole."""
        return LeftWhole(f"{shown(self.proto)} {why}")


def moved(label: Timed, axis: int) -> Timed:
    """The same with time along another axis."""
    return replace(label, axis=axis)


def reshaped(node: Node, label: Timed, before: Sequence[Shape], after: Sequence[Shape]) -> Timed:
    """Where time lies when the same numbers, in the same order, get another shape: its stride is kept."""
    found = [
        set(_places(new, label.inner * math.prod(old[label.axis + 1 :]), length))
        for length, old, new in zip(node.observed.lengths, before, after, strict=True)
    ]
    places = found[0].intersection(*found[1:])
    if len(places) != 1:
        raise node.refused("tears events apart")
    ((axis, inner),) = places
    return Timed(label.statics, axis, inner)


def _places(shape: Shape, stride: int, length: int) -> Iterator[tuple[int, int]]:
    """Axes, and strides within them, that steps of `stride` between `length` events may lie along."""
    for axis, size in enumerate(shape):
        within = math.prod(shape[axis + 1 :])
        if within and stride % within == 0 and size % (stride // within * length) == 0:
            yield axis, stride // within


def fits(label: Timed, observed: Observed, shapes: Sequence[Shape]) -> bool:
    """Whether the axis has room for the events and follows their number, and no other axis does."""
    axis, first = label.axis, shapes[0]
    share, rest = divmod(first[axis], observed.lengths[0])
    if rest or share % label.inner:
        return False
    wanted = ((*first[:axis], share * length, *first[axis + 1 :]) for length in observed.lengths)
    return list(shapes) == list(wanted)


def is_plain(label: Timed, observed: Observed, shapes: Sequence[Shape]) -> bool:
    """Whether the axis holds the events and nothing else."""
    return [shape[label.axis] for shape in shapes] == list(observed.lengths)


def varying_axis(node: Node, shapes: Sequence[Shape]) -> int | None:
    """The one axis whose size is the number of events; None where no size depends on it."""
    if len({len(shape) for shape in shapes}) > 1:
        raise node.refused("gives a rank that depends on the number of events")
    axes = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1]
    if not axes:
        return None
    if len(axes) > 1 or [shape[axes[0]] for shape in shapes] != list(node.observed.lengths):
        raise node.refused("gives a shape that does not follow the number of events")
    return axes[0]


def first(node: Node) -> Timed:
    """The label of the first input, which must have time."""
    label = node.labels[0]
    if not isinstance(label, Timed):
        raise node.refused("is told by the events what to do")
    return label


def axis_of(node: Node, axis: int) -> int:
    """Counted from the front, in the first input."""
    return int(axis) % max(node.rank(0), 1)
