"""How a value of a graph depends on time: five labels.

A graph can be run from saved states exactly if, with the states of its recurrent nodes given, its output at an event
depends on that event alone. To prove that, every value gets a label, from the graph's inputs to its output.

    label             the value depends on                     for example
    Constant          static inputs at most                    a weight, an embedded profile
    AffineInLength    the number of events l, as a + b · l     Shape(events), l - 1
    LengthDependent   l, in any other way                      min(l, 64)
    PerEvent          at index t of one axis: event t          an embedding, the steps of a GRU
    LastEvent         the newest event                         steps[:, -1], a final state

PerEvent and LastEvent values may also depend on the recurrent states and on static inputs. Each label names the static
inputs that reach the value (`statics`), because a state that they enter cannot be shared between coalitions.
`label_propagation` has the rules by which labels pass through operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sequela.adapters.model_io.outputs import Shape
from sequela.adapters.onnx.stateful.observed_values import ObservedValues


@dataclass(frozen=True, slots=True)
class Constant:
    """The same for every event and for any number of events."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AffineInLength:
    """Whole numbers, each a + b · l for l events."""

    @property
    def statics(self) -> frozenset[str]:
        """Always empty: arithmetic with a static input makes a value LengthDependent."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class LengthDependent:
    """May depend on the number of events in any way, but on no event's values."""

    statics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PerEvent:
    """Has one part for each event, which depends on this event, on states and on static inputs.

    Events lie along `axis`. Where a reshape merged time with other axes, event t is at the indices
    (outer · l + t) · inner + rest of that axis.
    """

    statics: frozenset[str]
    axis: int
    inner: int = 1


@dataclass(frozen=True, slots=True)
class LastEvent:
    """Depends on the newest event, on states and on static inputs."""

    statics: frozenset[str]


TimeDependence: TypeAlias = Constant | AffineInLength | LengthDependent | PerEvent | LastEvent


def with_axis(label: PerEvent, axis: int) -> PerEvent:
    """Returns the label of the same values with their events along another axis."""
    return replace(label, axis=axis)


def matches_shapes(label: PerEvent, observed: ObservedValues, shapes: Sequence[Shape]) -> bool:
    """Returns whether the label's axis grows with the number of events, and no other axis does.

    Args:
        label: The label to check.
        observed: The graph's values; its lengths are the numbers of events.
        shapes: The value's shape at each observed length.
    """
    axis, first = label.axis, shapes[0]
    # A reshape may have merged time with other axes, so the size is a multiple of the length.
    share, rest = divmod(first[axis], observed.lengths[0])
    if rest or share % label.inner:
        return False
    expected = ((*first[:axis], share * length, *first[axis + 1 :]) for length in observed.lengths)
    return list(shapes) == list(expected)


def holds_only_events(label: PerEvent, observed: ObservedValues, shapes: Sequence[Shape]) -> bool:
    """Returns whether the label's axis has exactly one index for each event."""
    return [shape[label.axis] for shape in shapes] == list(observed.lengths)
