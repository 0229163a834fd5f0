"""Labels every value of a graph with how it depends on time, from the inputs to the output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnx import NodeProto

from sequela.adapters.onnx.recurrent_nodes import is_recurrent
from sequela.adapters.onnx.stateful.observed_values import ObservedValues
from sequela.adapters.onnx.stateful.op_rules import RULES
from sequela.adapters.onnx.stateful.shape_arithmetic import (
    SHAPE_OPERATORS,
    label_length_arithmetic,
    label_shape_operator,
)
from sequela.adapters.onnx.stateful.time_dependence import (
    AffineInLength,
    Constant,
    LastEvent,
    LengthDependent,
    NodeContext,
    PerEvent,
    TimeDependence,
    matches_shapes,
)
from sequela.adapters.onnx.value_names import captured_names

LENGTH_PARAMETERISED = ("Reshape", "Expand", "Slice", "Gather")
"""Operators that may be told by the number of events what to do with events: to which shape, which to take."""


def label_values(
    nodes: Iterable[NodeProto], inputs: Mapping[str, TimeDependence], observed: ObservedValues, opset: int
) -> dict[str, TimeDependence]:
    """Labels by name, of nodes in the graph's order. Raises LeftWhole at the first node that mixes events."""
    labels: dict[str, TimeDependence] = {name: Constant() for name in observed.constants} | dict(inputs)
    for proto in nodes:
        seen = tuple(labels[name] if name else None for name in proto.input)
        node = NodeContext(proto, opset, seen, observed)
        captured = tuple(labels[name] for name in captured_names(proto) if name in labels)
        outputs = dict(zip(proto.output, _outputs(node, captured), strict=False))
        _check_shapes(node, outputs)
        labels |= outputs
    return labels


def _check_shapes(node: NodeContext, outputs: Mapping[str, TimeDependence]) -> None:
    """What a rule says of time must be what was seen."""
    for name, label in outputs.items():
        if (
            name
            and isinstance(label, PerEvent)
            and not matches_shapes(label, node.observed, node.observed.shapes(name))
        ):
            raise node.refusal("gives another number of events")


def _outputs(node: NodeContext, captured: Sequence[TimeDependence]) -> Iterator[TimeDependence]:
    if is_recurrent(node.proto):
        steps = RULES[node.operator](node)
        yield from (steps, LastEvent(steps.statics), LastEvent(steps.statics))
    else:
        label = _label(node, captured)
        yield from (label for _ in node.proto.output)


def _label(node: NodeContext, captured: Sequence[TimeDependence]) -> TimeDependence:
    if node.operator in SHAPE_OPERATORS:
        return label_shape_operator(node)
    given = [label for label in (*node.labels, *captured) if label is not None]
    kinds = {type(label) for label in given}
    statics = node.statics.union(*(label.statics for label in captured))
    if kinds <= {Constant}:
        return Constant(statics)
    if kinds <= {Constant, AffineInLength, LengthDependent}:
        return LengthDependent(statics) if captured else label_length_arithmetic(node)
    if LengthDependent in kinds or (
        AffineInLength in kinds and not (PerEvent in kinds and node.operator in LENGTH_PARAMETERISED)
    ):
        raise node.refusal("uses the number of events")
    if PerEvent not in kinds:
        return LastEvent(statics)
    if LastEvent in kinds:
        raise node.refusal("brings the last event together with every event")
    if node.operator not in RULES or captured:
        raise node.refusal("is not known to keep events apart")
    return RULES[node.operator](node)
