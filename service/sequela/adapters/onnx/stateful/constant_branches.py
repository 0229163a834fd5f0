"""Inlines `If` nodes whose condition is the same at every length.

Exporters write `squeeze` as an `If` when they do not know whether an axis has size 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, helper

from sequela.adapters.onnx.recurrent_nodes import describe_node
from sequela.adapters.onnx.stateful import NotStateful
from sequela.adapters.onnx.stateful.node_context import LENGTH_USED
from sequela.adapters.onnx.stateful.observed_values import ObservedValues
from sequela.adapters.onnx.stateful.shape_arithmetic import SHAPE_OPERATORS
from sequela.adapters.onnx.stateful.time_dependence import Constant, TimeDependence
from sequela.adapters.onnx.value_names import captured_names


def inline_constant_branches(
    model: ModelProto, observed: ObservedValues
) -> tuple[ModelProto, list[NodeProto]]:
    """Replaces each `If` whose condition was the same at all observed lengths by the branch it takes.

    Returns:
        A copy of the model without these nodes, and the nodes, for `check_inlined_branches`.
    """
    input_dependent = _input_dependent_values(model.graph)
    inlined = [node for node in model.graph.node if _is_constant_branch(node, input_dependent, observed)]
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    del rewritten.graph.node[:]
    for node in model.graph.node:
        if node not in inlined:
            rewritten.graph.node.append(node)
            continue
        branch = _taken_branch(node, observed)
        # ONNX forbids that names inside a branch repeat outer ones, so they can move out as they are.
        rewritten.graph.initializer.extend(branch.initializer)
        rewritten.graph.node.extend((*branch.node, *_branch_outputs(branch, node)))
    return rewritten, inlined


def check_inlined_branches(inlined: Iterable[NodeProto], labels: Mapping[str, TimeDependence]) -> None:
    """Proves from the labels that the conditions are constant at lengths that were not observed, too.

    Raises:
        NotStateful: A condition may depend on the number of events.
    """
    for node in inlined:
        if labels[node.input[0]] != Constant():
            raise NotStateful(f"{describe_node(node)} {LENGTH_USED}")


def _input_dependent_values(graph: GraphProto) -> set[str]:
    """Returns the values that depend on what the inputs hold, and not on their shapes alone."""
    dependent = {item.name for item in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in SHAPE_OPERATORS and not dependent.isdisjoint(
            (*node.input, *captured_names(node))
        ):
            dependent.update(name for name in node.output if name)
    return dependent


def _is_constant_branch(node: NodeProto, input_dependent: set[str], observed: ObservedValues) -> bool:
    # A condition on values may be the same on the few sequences observed, and differ on others.
    if node.op_type != "If" or node.input[0] in input_dependent:
        return False
    return node.input[0] in observed and observed.is_same_at_all_lengths(node.input[0])


def _taken_branch(node: NodeProto, observed: ObservedValues) -> GraphProto:
    name = "then_branch" if observed.arrays(node.input[0])[0].all() else "else_branch"
    return next(item.g for item in node.attribute if item.name == name)


def _branch_outputs(branch: GraphProto, node: NodeProto) -> Iterator[NodeProto]:
    """Copies from the branch's outputs to the node's."""
    for inside, outside in zip(branch.output, node.output, strict=True):
        yield helper.make_node("Identity", [inside.name], [outside], name=f"{node.name}/{outside}")
