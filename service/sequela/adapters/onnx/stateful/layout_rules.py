"""Operators that move what events have of their own, or take the last event: what comes out of each."""

from __future__ import annotations

from dataclasses import replace

from sequela.adapters.onnx.stateful.affine import Lines, events
from sequela.adapters.onnx.stateful.labels import (
    Label,
    Last,
    Node,
    Still,
    Timed,
    axis_of,
    first,
    is_plain,
    moved,
    reshaped,
)


def transpose(node: Node) -> Label:
    """Axes in another order."""
    label = first(node)
    order = node.attribute("perm") or range(node.rank(0))[::-1]
    return moved(label, list(order).index(label.axis))


def reshape(node: Node) -> Label:
    """The same numbers in the same order."""
    if node.has(1):
        node.arrays(1)
    return reshaped(node, first(node), node.shapes(0), node.outputs())


def expand(node: Node) -> Label:
    """Broadcast to a shape, which does not look at events."""
    label = first(node)
    node.arrays(1)
    return moved(label, label.axis + len(node.outputs()[0]) - node.rank(0))


def concat(node: Node) -> Label:
    """Side by side along an axis that is not time."""
    labels = set(node.timed.values())
    label = replace(next(iter(labels)), statics=node.statics)
    if len(node.timed) < len(node.labels) or {replace(other, statics=node.statics) for other in labels} != {
        label
    }:
        raise node.refused("puts events beside what is no event")
    if axis_of(node, node.attribute("axis")) == label.axis:
        raise node.refused("puts events in a row")
    return label


def gather(node: Node) -> Label:
    """Rows of a table (an embedding), columns of every event, or the last event."""
    axis, data, indices = axis_of(node, node.attribute("axis", 0)), node.timed.get(0), node.timed.get(1)
    if data is None:
        return _looked_up(node, axis, node.timed[1])
    if indices:
        raise node.refused("is told by the events what to take")
    if axis == data.axis:
        return _picked(node, data)
    if not isinstance(node.labels[1], Still):
        raise node.refused("uses the number of events")
    ahead = node.rank(1) - 1 if axis < data.axis else 0
    return replace(data, statics=node.statics, axis=data.axis + ahead)


def _looked_up(node: Node, axis: int, indices: Timed) -> Label:
    if not isinstance(node.labels[0], Still):
        raise node.refused("uses the number of events")
    return replace(indices, statics=node.statics, axis=axis + indices.axis)


def _picked(node: Node, data: Timed) -> Label:
    index, most = node.lines(1), node.observed.most
    if not (index.single.size == 1 and _is_newest(index, events(most)) and _is_plain(node, data)):
        raise node.refused("picks events")
    return Last(node.statics)


def cut(node: Node) -> Label:
    """Columns of every event, all events, or the last one alone."""
    label = first(node)
    if not node.has(1):
        raise node.refused(f"is written as before opset 10, in opset {node.opset}")
    starts, ends = node.lines(1), node.lines(2)
    axes = [axis % node.rank(0) for axis in node.integers(3, "axes") or range(starts.single.size)]
    strides = node.integers(4, "steps") or [1] * len(axes)
    kept: Label = replace(label, statics=node.statics)
    for place, axis in enumerate(axes):
        start, end = starts[place], ends[place]
        if axis == label.axis:
            kept = _cut_time(node, label, start, end, strides[place])
        elif not (start.flat and end.flat):
            raise node.refused("uses the number of events")
    return kept


def _cut_time(node: Node, label: Timed, start: Lines, end: Lines, stride: int) -> Label:
    length = events(node.observed.most)
    if stride != 1 or not (length - end).never_above() or not _is_plain(node, label):
        raise node.refused("picks events")
    if start.always_zero() or (start + length).never_above():
        return replace(label, statics=node.statics)
    if _is_newest(start, length):
        return Last(node.statics)
    raise node.refused("picks events")


def _is_newest(index: Lines, length: Lines) -> bool:
    """Whether it is -1 or l - 1, for any number of events."""
    return (index - -1).always_zero() or (length - index - 1).always_zero()


def _is_plain(node: Node, label: Timed) -> bool:
    return is_plain(label, node.observed, node.shapes(0))


def split(node: Node) -> Label:
    """Into parts along an axis that is not time."""
    label = first(node)
    if axis_of(node, node.attribute("axis", 0)) == label.axis:
        raise node.refused("picks events")
    return replace(label, statics=node.statics)


def one_hot(node: Node) -> Label:
    """Ids to columns, along a new axis."""
    label = first(node)
    node.arrays(1)
    axis = node.attribute("axis", -1) % (node.rank(0) + 1)
    return replace(label, statics=node.statics, axis=label.axis + (axis <= label.axis))


def pad(node: Node) -> Label:
    """Beside the events, never before or after them."""
    label, rank = first(node), node.rank(0)
    pads, axes = node.integers(1, "pads") or [], node.integers(3, "axes") or list(range(rank))
    around = {axis % rank: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    if any(around.get(label.axis, ())):
        raise node.refused("adds events")
    return replace(label, statics=node.statics)
