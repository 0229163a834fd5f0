"""How the values of a graph depend on time: what every event has of its own, and what the last one leaves.

Running a graph from states is exact when, with the recurrent nodes' states given, its output at an event
depends on that event alone. So every value is labelled, from the inputs on, and an operator is let through
only where its rule says what comes out (`onnx_time_rules`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from onnx import NodeProto, helper

from sequela.adapters.onnx_observed import LENGTHS, Array, Observed, Shape
from sequela.adapters.onnx_recurrent_nodes import STANDARD_DOMAINS, shown
from sequela.adapters.onnx_whole import LeftWhole


@dataclass(frozen=True, slots=True)
class Still:
    """The same for every event and any number of them; `statics` are the static inputs it depends on."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Counted:
    """Depends on the number of events, and on no event's values."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Timed:
    """Has a part for each event, which depends on this event, on states and on static inputs.

    Events lie along `axis`. Where it was merged with others, event t is at index
    (outer · l + t) · inner + rest, with one `inner` for each observed length.
    """

    statics: frozenset[str]
    axis: int
    inner: tuple[int, ...] = (1,) * len(LENGTHS)


@dataclass(frozen=True, slots=True)
class Last:
    """What is there after the last event: depends on it, on states and on static inputs."""

    statics: frozenset[str]


Label: TypeAlias = Still | Counted | Timed | Last


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A node, the labels of its inputs (None where it is left out), and what was observed."""

    node: NodeProto
    opset: int
    labels: tuple[Label | None, ...]
    observed: Observed

    @property
    def operator(self) -> str:
        """`GRU`, or `com.microsoft.QuickGelu`."""
        domain = "" if self.node.domain in STANDARD_DOMAINS else f"{self.node.domain}."
        return domain + self.node.op_type

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
        for attribute in self.node.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def has(self, place: int) -> bool:
        """Whether an optional input is given."""
        return place < len(self.node.input) and bool(self.node.input[place])

    def shapes(self, place: int) -> tuple[Shape, ...]:
        """Of an input, one for each observed length."""
        return self.observed.shapes(self.node.input[place])

    def rank(self, place: int) -> int:
        """Of an input."""
        return len(self.shapes(place)[0])

    def arrays(self, place: int) -> tuple[Array, ...]:
        """An input that holds no event's values, one for each observed length."""
        if isinstance(self.labels[place], Timed | Last):
            raise self.refused("is told by the events what to take")
        return self.observed.arrays(self.node.input[place])

    def integers(self, place: int, name: str) -> list[int] | None:
        """A parameter that is an attribute in older opsets and a constant input in newer ones."""
        if not self.has(place):
            return None if self.attribute(name) is None else list(self.attribute(name))
        if not self.observed.settled(self.node.input[place]):
            raise self.refused(f"takes {name} that depend on the number of events")
        return [int(value) for value in self.arrays(place)[0].reshape(-1)]

    def outputs(self) -> tuple[Shape, ...]:
        """Shapes of the first output, one for each observed length."""
        return self.observed.shapes(self.node.output[0])

    def refused(self, why: str) -> LeftWhole:
        """The reason to leave the graph whole."""
        return LeftWhole(f"{shown(self.node)} {why}")


def moved(label: Timed, axis: int) -> Timed:
    """The same with time along another axis."""
    return replace(label, axis=axis)


def reshaped(step: Step, label: Timed, before: Sequence[Shape], after: Sequence[Shape]) -> Timed:
    """Where time lies when the same numbers, in the same order, get another shape: its stride is kept."""
    strides = [
        inner * math.prod(shape[label.axis + 1 :]) for inner, shape in zip(label.inner, before, strict=True)
    ]
    found = [
        {
            axis: stride // math.prod(shape[axis + 1 :])
            for axis in range(len(shape))
            if _holds(shape, axis, stride, length)
        }
        for stride, length, shape in zip(strides, LENGTHS, after, strict=True)
    ]
    axes = set(found[0]).intersection(*found[1:])
    if len(axes) != 1:
        raise step.refused("tears events apart")
    (axis,) = axes
    return Timed(label.statics, axis, tuple(inner[axis] for inner in found))


def _holds(shape: Shape, axis: int, stride: int, length: int) -> bool:
    """Whether steps of `stride` between `length` events lie within one axis."""
    within = math.prod(shape[axis + 1 :])
    if within == 0:
        return False
    return stride % within == 0 and shape[axis] % (stride // within * length) == 0


def fits(label: Timed, shapes: Sequence[Shape]) -> bool:
    """Whether the axis has room for the events, at every observed length."""
    return all(
        shape[label.axis] % (inner * length) == 0
        for shape, inner, length in zip(shapes, label.inner, LENGTHS, strict=True)
    )


def is_plain(label: Timed, shapes: Sequence[Shape]) -> bool:
    """Whether the axis holds the events and nothing else."""
    return all(shape[label.axis] == length for shape, length in zip(shapes, LENGTHS, strict=True))


def varying_axis(step: Step, shapes: Sequence[Shape]) -> int | None:
    """The one axis whose size is the number of events; None where no size depends on it."""
    if len({len(shape) for shape in shapes}) > 1:
        raise step.refused("gives a rank that depends on the number of events")
    axes = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1]
    if not axes:
        return None
    if len(axes) > 1 or [shape[axes[0]] for shape in shapes] != list(LENGTHS):
        raise step.refused("gives a shape that does not follow the number of events")
    return axes[0]


def first(step: Step) -> Timed:
    """The label of the first input, which must have time."""
    label = step.labels[0]
    if not isinstance(label, Timed):
        raise step.refused("is told by the events what to do")
    return label


def axis_of(step: Step, axis: int) -> int:
    """Counted from the front, in the first input."""
    return int(axis) % max(step.rank(0), 1)
