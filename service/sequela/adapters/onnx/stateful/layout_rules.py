"""Operators that move what events have of their own, or take the last event: what comes out of each."""

from __future__ import annotations

from dataclasses import replace

from sequela.adapters.onnx.stateful.affine import AffineArray, sequence_length
from sequela.adapters.onnx.stateful.time_dependence import (
    Constant,
    LastEvent,
    NodeContext,
    PerEvent,
    TimeDependence,
    first_input,
    holds_only_events,
    positive_axis,
    reshape_label,
    with_axis,
)


def transpose(node: NodeContext) -> TimeDependence:
    """Axes in another order."""
    label = first_input(node)
    order = node.attribute("perm") or range(node.rank(0))[::-1]
    return with_axis(label, list(order).index(label.axis))


def reshape(node: NodeContext) -> TimeDependence:
    """The same numbers in the same order."""
    if node.has(1):
        node.arrays(1)
    return reshape_label(node, first_input(node), node.shapes(0), node.outputs())


def expand(node: NodeContext) -> TimeDependence:
    """Broadcast to a shape, which does not look at events."""
    label = first_input(node)
    node.arrays(1)
    return with_axis(label, label.axis + len(node.outputs()[0]) - node.rank(0))


def concat(node: NodeContext) -> TimeDependence:
    """Side by side along an axis that is not time."""
    labels = set(node.per_event_inputs.values())
    label = replace(next(iter(labels)), statics=node.statics)
    if len(node.per_event_inputs) < len(node.labels) or {
        replace(other, statics=node.statics) for other in labels
    } != {label}:
        raise node.refusal("puts events beside what is no event")
    if positive_axis(node, node.attribute("axis")) == label.axis:
        raise node.refusal("puts events in a row")
    return label


def gather(node: NodeContext) -> TimeDependence:
    """Rows of a table (an embedding), columns of every event, or the last event."""
    axis, data, indices = (
        positive_axis(node, node.attribute("axis", 0)),
        node.per_event_inputs.get(0),
        node.per_event_inputs.get(1),
    )
    if data is None:
        return _look_up(node, axis, node.per_event_inputs[1])
    if indices:
        raise node.refusal("is told by the events what to take")
    if axis == data.axis:
        return _gather_event(node, data)
    if not isinstance(node.labels[1], Constant):
        raise node.refusal("uses the number of events")
    ahead = node.rank(1) - 1 if axis < data.axis else 0
    return replace(data, statics=node.statics, axis=data.axis + ahead)


def _look_up(node: NodeContext, axis: int, indices: PerEvent) -> TimeDependence:
    if not isinstance(node.labels[0], Constant):
        raise node.refusal("uses the number of events")
    return replace(indices, statics=node.statics, axis=axis + indices.axis)


def _gather_event(node: NodeContext, data: PerEvent) -> TimeDependence:
    index, most = node.affine(1), node.observed.max_events
    if not (
        index.at_one_event.size == 1
        and _is_newest(index, sequence_length(most))
        and _holds_only_events(node, data)
    ):
        raise node.refusal("picks events")
    return LastEvent(node.statics)


def slice_axes(node: NodeContext) -> TimeDependence:
    """Columns of every event, all events, or the last one alone."""
    label = first_input(node)
    if not node.has(1):
        raise node.refusal(f"is written as before opset 10, in opset {node.opset}")
    starts, ends = node.affine(1), node.affine(2)
    axes = [axis % node.rank(0) for axis in node.integers(3, "axes") or range(starts.at_one_event.size)]
    strides = node.integers(4, "steps") or [1] * len(axes)
    kept: TimeDependence = replace(label, statics=node.statics)
    for place, axis in enumerate(axes):
        start, end = starts[place], ends[place]
        if axis == label.axis:
            kept = _slice_time(node, label, start, end, strides[place])
        elif not (start.is_constant and end.is_constant):
            raise node.refusal("uses the number of events")
    return kept


def _slice_time(
    node: NodeContext, label: PerEvent, start: AffineArray, end: AffineArray, stride: int
) -> TimeDependence:
    length = sequence_length(node.observed.max_events)
    if stride != 1 or not (length - end).is_never_positive() or not _holds_only_events(node, label):
        raise node.refusal("picks events")
    if start.is_always_zero() or (start + length).is_never_positive():
        return replace(label, statics=node.statics)
    if _is_newest(start, length):
        return LastEvent(node.statics)
    raise node.refusal("picks events")


def _is_newest(index: AffineArray, length: AffineArray) -> bool:
    """Whether it is -1 or l - 1, for any number of events."""
    return (index - -1).is_always_zero() or (length - index - 1).is_always_zero()


def _holds_only_events(node: NodeContext, label: PerEvent) -> bool:
    return holds_only_events(label, node.observed, node.shapes(0))


def split(node: NodeContext) -> TimeDependence:
    """Into parts along an axis that is not time."""
    label = first_input(node)
    if positive_axis(node, node.attribute("axis", 0)) == label.axis:
        raise node.refusal("picks events")
    return replace(label, statics=node.statics)


def one_hot(node: NodeContext) -> TimeDependence:
    """Ids to columns, along a new axis."""
    label = first_input(node)
    node.arrays(1)
    axis = node.attribute("axis", -1) % (node.rank(0) + 1)
    return replace(label, statics=node.statics, axis=label.axis + (axis <= label.axis))


def pad(node: NodeContext) -> TimeDependence:
    """Beside the events, never before or after them."""
    label, rank = first_input(node), node.rank(0)
    pads, axes = node.integers(1, "pads") or [], node.integers(3, "axes") or list(range(rank))
    around = {axis % rank: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    if any(around.get(label.axis, ())):
        raise node.refusal("adds events")
    return replace(label, statics=node.statics)
