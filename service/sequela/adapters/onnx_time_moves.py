"""Operators that move what events have of their own, or take the last event: what comes out of each."""

from __future__ import annotations

from dataclasses import replace

from sequela.adapters.onnx_observed import LENGTHS
from sequela.adapters.onnx_time import (
    Counted,
    Label,
    Last,
    Step,
    Timed,
    axis_of,
    first,
    is_plain,
    moved,
    reshaped,
)


def transpose(step: Step) -> Label:
    """Axes in another order."""
    label = first(step)
    order = step.attribute("perm") or range(step.rank(0))[::-1]
    return moved(label, list(order).index(label.axis))


def reshape(step: Step) -> Label:
    """The same numbers in the same order."""
    return reshaped(step, first(step), step.shapes(0), step.outputs())


def expand(step: Step) -> Label:
    """Broadcast to a shape, which does not look at events."""
    label = first(step)
    step.arrays(1)
    return moved(label, label.axis + len(step.outputs()[0]) - step.rank(0))


def concat(step: Step) -> Label:
    """Side by side along an axis that is not time."""
    labels = set(step.timed.values())
    label = replace(next(iter(labels)), statics=step.statics)
    if len(step.timed) < len(step.labels) or {replace(other, statics=step.statics) for other in labels} != {
        label
    }:
        raise step.refused("puts events beside what is no event")
    if axis_of(step, step.attribute("axis")) == label.axis:
        raise step.refused("puts events in a row")
    return label


def gather(step: Step) -> Label:
    """Rows of a table (an embedding), columns of every event, or the last event."""
    axis, data, indices = axis_of(step, step.attribute("axis", 0)), step.timed.get(0), step.timed.get(1)
    if data is None:
        return _looked_up(step, axis, step.timed[1])
    if indices:
        raise step.refused("is told by the events what to take")
    if axis == data.axis:
        return _picked(step, data)
    if isinstance(step.labels[1], Counted):
        raise step.refused("uses the number of events")
    ahead = step.rank(1) - 1 if axis < data.axis else 0
    return replace(data, statics=step.statics, axis=data.axis + ahead)


def _looked_up(step: Step, axis: int, indices: Timed) -> Label:
    if isinstance(step.labels[0], Counted):
        raise step.refused("uses the number of events")
    return replace(indices, statics=step.statics, axis=axis + indices.axis)


def _picked(step: Step, data: Timed) -> Label:
    taken = [array % length for array, length in zip(step.arrays(1), LENGTHS, strict=True)]
    newest = all(
        array.size == 1 and int(array.reshape(())) == length - 1
        for array, length in zip(taken, LENGTHS, strict=True)
    )
    if not newest or not is_plain(data, step.shapes(0)):
        raise step.refused("picks events")
    return Last(step.statics)


def cut(step: Step) -> Label:
    """Columns of every event, all events, or the last one alone."""
    label = first(step)
    if not step.has(1):
        raise step.refused(f"is written as before opset 10, in opset {step.opset}")
    starts, ends = step.arrays(1), step.arrays(2)
    axes = [axis % step.rank(0) for axis in step.integers(3, "axes") or range(starts[0].size)]
    strides = step.integers(4, "steps") or [1] * len(axes)
    slices = {
        axis: [
            slice(int(start[place]), int(end[place]), strides[place])
            for start, end in zip(starts, ends, strict=True)
        ]
        for place, axis in enumerate(axes)
    }
    over_time = slices.pop(label.axis, None)
    if any(part != parts[0] for parts in slices.values() for part in parts):
        raise step.refused("uses the number of events")
    return _cut_time(step, label, over_time) if over_time else replace(label, statics=step.statics)


def _cut_time(step: Step, label: Timed, slices: list[slice]) -> Label:
    if not is_plain(label, step.shapes(0)):
        raise step.refused("picks events")
    kept = [range(length)[part] for part, length in zip(slices, LENGTHS, strict=True)]
    if kept == [range(length) for length in LENGTHS]:
        return replace(label, statics=step.statics)
    if [list(events) for events in kept] == [[length - 1] for length in LENGTHS]:
        return Last(step.statics)
    raise step.refused("picks events")


def split(step: Step) -> Label:
    """Into parts along an axis that is not time."""
    label = first(step)
    if axis_of(step, step.attribute("axis", 0)) == label.axis:
        raise step.refused("picks events")
    return label


def one_hot(step: Step) -> Label:
    """Ids to columns, along a new axis."""
    label = first(step)
    step.arrays(1)
    axis = step.attribute("axis", -1) % (step.rank(0) + 1)
    return replace(label, statics=step.statics, axis=label.axis + (axis <= label.axis))


def pad(step: Step) -> Label:
    """Beside the events, never before or after them."""
    label, rank = first(step), step.rank(0)
    pads, axes = step.integers(1, "pads") or [], step.integers(3, "axes") or list(range(rank))
    around = {axis % rank: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    if any(around.get(label.axis, ())):
        raise step.refused("adds events")
    return label
