"""Rules for operators that move, reshape or select values: the label of their output.

A rule takes a node with at least one PerEvent input (and no LastEvent or LengthDependent one). It returns the label of
the node's output, or raises `NotStateful`.
"""

from __future__ import annotations

from dataclasses import replace

from sequela.adapters.onnx.stateful.affine import AffineArray, sequence_length
from sequela.adapters.onnx.stateful.node_context import (
    LENGTH_USED,
    NodeContext,
    first_input,
    positive_axis,
    reshape_label,
)
from sequela.adapters.onnx.stateful.time_dependence import (
    Constant,
    LastEvent,
    PerEvent,
    TimeDependence,
    holds_only_events,
    with_axis,
)

SELECTS_EVENTS = "selects some of the events"
SELECTED_BY_EVENTS = "selects by values of the events"


def transpose(node: NodeContext) -> TimeDependence:
    """Labels Transpose, which moves the event axis."""
    label = first_input(node)
    order = node.attribute("perm") or range(node.rank(0))[::-1]
    return with_axis(label, list(order).index(label.axis))


def reshape(node: NodeContext) -> TimeDependence:
    """Labels Reshape, Flatten, Squeeze and Unsqueeze, which keep the numbers and their order."""
    # The target shape (or the axes) may follow the number of events, but not their values: `arrays` refuses those.
    if node.has(1):
        node.arrays(1)
    return reshape_label(node, first_input(node), node.shapes(0), node.output_shapes())


def expand(node: NodeContext) -> TimeDependence:
    """Labels Expand, which broadcasts to a shape and may add axes in front."""
    label = first_input(node)
    node.arrays(1)
    # Broadcasting adds axes in front only.
    return with_axis(label, label.axis + len(node.output_shapes()[0]) - node.rank(0))


def concat(node: NodeContext) -> TimeDependence:
    """Labels Concat. All inputs must have the same event axis, and be joined along another one."""
    labels = set(node.per_event_inputs.values())
    label = replace(next(iter(labels)), statics=node.statics)
    aligned = {replace(other, statics=node.statics) for other in labels} == {label}
    # Values without events would need a part for each event to be joined with them.
    if len(node.per_event_inputs) < len(node.labels) or not aligned:
        raise node.refusal("concatenates events with values that are not aligned with them")
    if positive_axis(node, node.attribute("axis")) == label.axis:
        raise node.refusal("concatenates along the event axis")
    return label


def gather(node: NodeContext) -> TimeDependence:
    """Labels Gather, which selects rows of a table by ids (an embedding), columns of every event, or the last event."""
    axis = positive_axis(node, node.attribute("axis", 0))
    data, indices = node.per_event_inputs.get(0), node.per_event_inputs.get(1)
    if data is None:
        return _look_up(node, axis, node.per_event_inputs[1])
    if indices:
        raise node.refusal(SELECTED_BY_EVENTS)
    if axis == data.axis:
        return _gather_event(node, data)
    if not isinstance(node.labels[1], Constant):
        raise node.refusal(LENGTH_USED)
    # The axes of the indices replace the gathered one, so an event axis behind it moves.
    moved_by = node.rank(1) - 1 if axis < data.axis else 0
    return replace(data, statics=node.statics, axis=data.axis + moved_by)


def _look_up(node: NodeContext, axis: int, indices: PerEvent) -> TimeDependence:
    """Labels the rows that are read, for the id of each event, from a table that is the same for all events."""
    if not isinstance(node.labels[0], Constant):
        raise node.refusal(LENGTH_USED)
    return replace(indices, statics=node.statics, axis=axis + indices.axis)


def _gather_event(node: NodeContext, data: PerEvent) -> TimeDependence:
    index, length = node.affine(1), sequence_length(node.observed.max_events)
    is_newest = index.at_one_event.size == 1 and _is_newest(index, length)
    if not (is_newest and _first_holds_only_events(node, data)):
        raise node.refusal(SELECTS_EVENTS)
    return LastEvent(node.statics)


def slice_axes(node: NodeContext) -> TimeDependence:
    """Labels Slice, which keeps columns of every event, all events, or the last event alone."""
    label = first_input(node)
    if not node.has(1):
        raise node.refusal(f"has the form that it had before opset 10, in a model of opset {node.opset}")
    starts, ends = node.affine(1), node.affine(2)
    axes = [axis % node.rank(0) for axis in node.integers(3, "axes") or range(starts.at_one_event.size)]
    strides = node.integers(4, "steps") or [1] * len(axes)
    result: TimeDependence = replace(label, statics=node.statics)
    for index, axis in enumerate(axes):
        start, end = starts[index], ends[index]
        if axis == label.axis:
            result = _slice_time(node, label, start, end, strides[index])
        elif not (start.is_constant and end.is_constant):
            raise node.refusal(LENGTH_USED)
    return result


def _slice_time(
    node: NodeContext, label: PerEvent, start: AffineArray, end: AffineArray, stride: int
) -> TimeDependence:
    length = sequence_length(node.observed.max_events)
    reaches_end = (length - end).is_never_positive()
    if stride != 1 or not reaches_end or not _first_holds_only_events(node, label):
        raise node.refusal(SELECTS_EVENTS)
    # From the first event, or from one before it (-l and less), everything is kept.
    if start.is_always_zero() or (start + length).is_never_positive():
        return replace(label, statics=node.statics)
    if _is_newest(start, length):
        return LastEvent(node.statics)
    raise node.refusal(SELECTS_EVENTS)


def _is_newest(index: AffineArray, length: AffineArray) -> bool:
    """Returns whether an index is -1 or l - 1 at every length."""
    return (index - -1).is_always_zero() or (length - index - 1).is_always_zero()


def _first_holds_only_events(node: NodeContext, label: PerEvent) -> bool:
    return holds_only_events(label, node.observed, node.shapes(0))


def split(node: NodeContext) -> TimeDependence:
    """Labels Split. It must split along another axis than time."""
    label = first_input(node)
    if positive_axis(node, node.attribute("axis", 0)) == label.axis:
        raise node.refusal(SELECTS_EVENTS)
    return replace(label, statics=node.statics)


def one_hot(node: NodeContext) -> TimeDependence:
    """Labels OneHot, which turns ids into columns along a new axis."""
    label = first_input(node)
    node.arrays(1)
    axis = node.attribute("axis", -1) % (node.rank(0) + 1)
    # An axis that is inserted in front of the event axis moves it back by one.
    return replace(label, statics=node.statics, axis=label.axis + (axis <= label.axis))


def pad(node: NodeContext) -> TimeDependence:
    """Labels Pad. It must pad along other axes than time."""
    label, rank = first_input(node), node.rank(0)
    pads, axes = node.integers(1, "pads") or [], node.integers(3, "axes") or list(range(rank))
    pads_by_axis = {axis % rank: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    if any(pads_by_axis.get(label.axis, ())):
        raise node.refusal("pads along the event axis")
    return replace(label, statics=node.statics)
