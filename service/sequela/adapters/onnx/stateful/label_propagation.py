"""Labels every value of a graph with how it depends on time, from the inputs to the output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnx import NodeProto

from sequela.adapters.onnx.recurrent_nodes import is_recurrent
from sequela.adapters.onnx.stateful.labels import Counted, Label, Last, Linear, Node, Still, Timed, fits
from sequela.adapters.onnx.stateful.observed_values import Observed
from sequela.adapters.onnx.stateful.op_rules import RULES
from sequela.adapters.onnx.stateful.shape_arithmetic import SHAPES, reckoned, sized
from sequela.adapters.onnx.value_names import captures

TOLD_BY_COUNTS = ("Reshape", "Expand", "Slice", "Gather")
"""Operators that may be told by the number of events what to do with events: to which shape, which to take."""


def label_values(
    nodes: Iterable[NodeProto], inputs: Mapping[str, Label], observed: Observed, opset: int
) -> dict[str, Label]:
    """Labels by name, of nodes in the graph's order. Raises LeftWhole at the first node that mixes events."""
    labels: dict[str, Label] = {name: Still() for name in observed.constants} | dict(inputs)
    for proto in nodes:
        seen = tuple(labels[name] if name else None for name in proto.input)
        node = Node(proto, opset, seen, observed)
        captured = tuple(labels[name] for name in captures(proto) if name in labels)
        outputs = dict(zip(proto.output, _outputs(node, captured), strict=False))
        _check_shapes(node, outputs)
        labels |= outputs
    return labels


def _check_shapes(node: Node, outputs: Mapping[str, Label]) -> None:
    """What a rule says of time must be what was seen."""
    for name, label in outputs.items():
        if name and isinstance(label, Timed) and not fits(label, node.observed, node.observed.shapes(name)):
            raise node.refused("gives another number of events")


def _outputs(node: Node, captured: Sequence[Label]) -> Iterator[Label]:
    if is_recurrent(node.proto):
        steps = RULES[node.operator](node)
        yield from (steps, Last(steps.statics), Last(steps.statics))
    else:
        label = _label(node, captured)
        yield from (label for _ in node.proto.output)


def _label(node: Node, captured: Sequence[Label]) -> Label:
    if node.operator in SHAPES:
        return sized(node)
    given = [label for label in (*node.labels, *captured) if label is not None]
    kinds = {type(label) for label in given}
    statics = node.statics.union(*(label.statics for label in captured))
    if kinds <= {Still}:
        return Still(statics)
    if kinds <= {Still, Linear, Counted}:
        return Counted(statics) if captured else reckoned(node)
    if Counted in kinds or (Linear in kinds and not (Timed in kinds and node.operator in TOLD_BY_COUNTS)):
        raise node.refused("uses the number of events")
    if Timed not in kinds:
        return Last(statics)
    if Last in kinds:
        raise node.refused("brings the last event together with every event")
    if node.operator not in RULES or captured:
        raise node.refused("is not known to keep events apart")
    return RULES[node.operator](node)
