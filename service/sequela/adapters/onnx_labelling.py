"""Labels every value of a graph with how it depends on time, from the inputs to the output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnx import NodeProto

from sequela.adapters.onnx_names import captures
from sequela.adapters.onnx_observed import Observed
from sequela.adapters.onnx_recurrent_nodes import is_recurrent
from sequela.adapters.onnx_time import Counted, Label, Last, Step, Still, Timed, fits, varying_axis
from sequela.adapters.onnx_time_rules import RULES

SHAPES = ("Shape", "Size")
TOLD_BY_COUNTS = ("Reshape", "Expand", "Slice", "Gather")
"""Operators that may be told by the number of events what to do with events: to which shape, which to take."""


def label_values(
    nodes: Iterable[NodeProto], inputs: Mapping[str, Label], observed: Observed, opset: int
) -> dict[str, Label]:
    """Labels by name, of nodes in the graph's order. Raises LeftWhole at the first node that mixes events."""
    labels: dict[str, Label] = {name: Still() for name in observed.constants} | dict(inputs)
    for node in nodes:
        seen = tuple(labels[name] if name else None for name in node.input)
        step = Step(node, opset, seen, observed)
        captured = tuple(labels[name] for name in captures(node) if name in labels)
        outputs = dict(zip(node.output, _outputs(step, captured), strict=False))
        _check_shapes(step, outputs)
        labels |= outputs
    return labels


def _check_shapes(step: Step, outputs: Mapping[str, Label]) -> None:
    """What a rule says of time must be what was seen."""
    for name, label in outputs.items():
        if name and isinstance(label, Timed) and not fits(label, step.observed.shapes(name)):
            raise step.refused("gives another number of events")


def _outputs(step: Step, captured: Sequence[Label]) -> Iterator[Label]:
    if is_recurrent(step.node):
        steps = RULES[step.operator](step)
        yield from (steps, Last(steps.statics), Last(steps.statics))
    else:
        label = _label(step, captured)
        yield from (label for _ in step.node.output)


def _label(step: Step, captured: Sequence[Label]) -> Label:
    if step.operator in SHAPES:
        return _counted(step, frozenset())
    given = [label for label in (*step.labels, *captured) if label is not None]
    kinds = {type(label) for label in given}
    statics = step.statics.union(*(label.statics for label in captured))
    if kinds <= {Still}:
        return Still(statics)
    if kinds <= {Still, Counted}:
        return _spread(step) if _repeats(step) else _counted(step, statics)
    if Counted in kinds and (Timed not in kinds or step.operator not in TOLD_BY_COUNTS):
        raise step.refused("uses the number of events")
    if Timed not in kinds:
        return Last(statics)
    if Last in kinds:
        raise step.refused("brings the last event together with every event")
    if step.operator not in RULES or captured:
        raise step.refused("is not known to keep events apart")
    return RULES[step.operator](step)


def _counted(step: Step, statics: frozenset[str]) -> Label:
    """What is made of shapes is constant where it does not follow the number of events."""
    if all(step.observed.settled(name) for name in step.node.output if name):
        return Still(statics)
    return Counted(statics)


def _repeats(step: Step) -> bool:
    """Whether it repeats one value that does not depend on the number of events."""
    return step.operator == "ConstantOfShape" or (
        step.operator == "Expand" and isinstance(step.labels[0], Still)
    )


def _spread(step: Step) -> Label:
    """Over a shape, and so over time too where the shape follows the number of events."""
    axis = varying_axis(step, step.outputs())
    return Still(step.statics) if axis is None else Timed(step.statics, axis)
