"""Labels every value of a graph with how it depends on time, from the inputs to the output.

The label of an operator's outputs follows from the labels of its inputs. The first row that fits decides:

    labels of the inputs                          label of the outputs
    any, of Shape and Size                        `shape_arithmetic.label_shape_operator`
    Constant only                                 Constant
    Constant, AffineInLength, LengthDependent     `shape_arithmetic.label_length_arithmetic`
    LengthDependent, with values of events        refused
    AffineInLength, with values of events         refused, except as a parameter of LENGTH_PARAMETERISED beside PerEvent
    LastEvent, no PerEvent                        LastEvent
    LastEvent and PerEvent                        refused
    PerEvent                                      the operator's rule in `op_rules.RULES`; refused without one

"Refused" raises `NotStateful`: the graph is run whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnx import NodeProto

from sequela.adapters.onnx.recurrent_nodes import is_recurrent
from sequela.adapters.onnx.stateful.node_context import LENGTH_USED, NodeContext
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
    PerEvent,
    TimeDependence,
    matches_shapes,
)
from sequela.adapters.onnx.value_names import captured_names

LENGTH_PARAMETERISED = ("Reshape", "Expand", "Slice", "Gather")
"""Operators that may take the number of events as a parameter: the target shape, or the indices to keep."""


def label_values(
    nodes: Iterable[NodeProto], inputs: Mapping[str, TimeDependence], observed: ObservedValues, opset: int
) -> dict[str, TimeDependence]:
    """Labels all values of a graph.

    Args:
        nodes: The nodes in the graph's (topological) order.
        inputs: The labels of the graph's inputs, by name.
        observed: Every value at a few lengths; its constants are labelled Constant.
        opset: The version of ONNX's standard operators.

    Returns:
        A label for each value, by name.

    Raises:
        NotStateful: At the first node that combines events outside of a recurrent layer.
    """
    labels: dict[str, TimeDependence] = {name: Constant() for name in observed.constants} | dict(inputs)
    for proto in nodes:
        known = tuple(labels[name] if name else None for name in proto.input)
        node = NodeContext(proto, opset, known, observed)
        captured = tuple(labels[name] for name in captured_names(proto) if name in labels)
        outputs = dict(zip(proto.output, _output_labels(node, captured), strict=False))
        _check_shapes(node, outputs)
        labels |= outputs
    return labels


def _check_shapes(node: NodeContext, outputs: Mapping[str, TimeDependence]) -> None:
    """Raises NotStateful if a rule's label disagrees with the shapes that were observed."""
    for name, label in outputs.items():
        if not name or not isinstance(label, PerEvent):
            continue
        if not matches_shapes(label, node.observed, node.observed.shapes(name)):
            raise node.refusal("changes the number of events")


def _output_labels(node: NodeContext, captured: Sequence[TimeDependence]) -> Iterator[TimeDependence]:
    """Yields the label of each output. A recurrent node has its steps first, then one or two final states."""
    if is_recurrent(node.proto):
        steps = RULES[node.operator](node)
        yield from (steps, LastEvent(steps.statics), LastEvent(steps.statics))
    else:
        label = _label(node, captured)
        yield from (label for _ in node.proto.output)


def _label(node: NodeContext, captured: Sequence[TimeDependence]) -> TimeDependence:
    """Returns the label of a node's outputs.

    `captured` holds the labels of outer values that graphs inside the node (If, Loop) read.
    """
    if node.operator in SHAPE_OPERATORS:
        return label_shape_operator(node)
    given = [label for label in (*node.labels, *captured) if label is not None]
    kinds = {type(label) for label in given}
    statics = node.statics.union(*(label.statics for label in captured))
    # Static inputs keep a value constant over time, whatever the operator does with them.
    if kinds <= {Constant}:
        return Constant(statics)
    if kinds <= {Constant, AffineInLength, LengthDependent}:
        return LengthDependent(statics) if captured else label_length_arithmetic(node)
    # The rules of these operators read the length as an affine number; all others would compute with it.
    takes_length = PerEvent in kinds and node.operator in LENGTH_PARAMETERISED
    if LengthDependent in kinds or (AffineInLength in kinds and not takes_length):
        raise node.refusal(LENGTH_USED)
    # Behind the last event there is no time axis left, so any operator is safe.
    if PerEvent not in kinds:
        return LastEvent(statics)
    if LastEvent in kinds:
        raise node.refusal("combines the last event with every event")
    if node.operator not in RULES or captured:
        raise node.refusal("is not known to keep events apart")
    return RULES[node.operator](node)
