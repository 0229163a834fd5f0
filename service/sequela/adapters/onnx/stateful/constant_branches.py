"""Branches that are taken whatever the events and however many: put in the place of their If.

Exporters write `squeeze` so, when they do not know whether an axis is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, helper

from sequela.adapters.onnx.recurrent_nodes import describe_node
from sequela.adapters.onnx.stateful import NotStateful
from sequela.adapters.onnx.stateful.observed_values import ObservedValues
from sequela.adapters.onnx.stateful.shape_arithmetic import SHAPE_OPERATORS
from sequela.adapters.onnx.stateful.time_dependence import Constant, TimeDependence
from sequela.adapters.onnx.value_names import captured_names


def inline_constant_branches(
    model: ModelProto, observed: ObservedValues
) -> tuple[ModelProto, list[NodeProto]]:
    """The model without the Ifs whose condition was the same at all lengths seen, and these Ifs."""
    told = _input_dependent_values(model.graph)
    inlined = [node for node in model.graph.node if _is_constant_branch(node, told, observed)]
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    del rewritten.graph.node[:]
    for node in model.graph.node:
        if node not in inlined:
            rewritten.graph.node.append(node)
            continue
        branch = _taken_branch(node, observed)
        rewritten.graph.initializer.extend(branch.initializer)
        rewritten.graph.node.extend((*branch.node, *_branch_outputs(branch, node)))
    return rewritten, inlined


def check_inlined_branches(inlined: Iterable[NodeProto], labels: Mapping[str, TimeDependence]) -> None:
    """Raises LeftWhole where the condition of such an If is another at some length that was not seen."""
    for node in inlined:
        if labels[node.input[0]] != Constant():
            raise NotStateful(f"{describe_node(node)} uses the number of events")


def _input_dependent_values(graph: GraphProto) -> set[str]:
    """Values that depend on what the inputs hold, and not on their shapes alone."""
    told = {item.name for item in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in SHAPE_OPERATORS and not told.isdisjoint((*node.input, *captured_names(node))):
            told.update(name for name in node.output if name)
    return told


def _is_constant_branch(node: NodeProto, told: set[str], observed: ObservedValues) -> bool:
    if node.op_type != "If" or node.input[0] in told:
        return False
    return node.input[0] in observed and observed.is_same_at_all_lengths(node.input[0])


def _taken_branch(node: NodeProto, observed: ObservedValues) -> GraphProto:
    name = "then_branch" if observed.arrays(node.input[0])[0].all() else "else_branch"
    return next(item.g for item in node.attribute if item.name == name)


def _branch_outputs(branch: GraphProto, node: NodeProto) -> Iterator[NodeProto]:
    for inside, outside in zip(branch.output, node.output, strict=True):
        yield helper.make_node("Identity", [inside.name], [outside], name=f"{node.name}/{outside}")
