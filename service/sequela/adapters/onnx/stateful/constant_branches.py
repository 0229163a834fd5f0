"""Branches that are taken whatever the events and however many: put in the place of their If.

Exporters write `squeeze` so, when they do not know whether an axis is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, helper

from sequela.adapters.onnx.recurrent_nodes import shown
from sequela.adapters.onnx.stateful.labels import Label, Still
from sequela.adapters.onnx.stateful.observed_values import Observed
from sequela.adapters.onnx.stateful.refusal import LeftWhole
from sequela.adapters.onnx.stateful.shape_arithmetic import SHAPES
from sequela.adapters.onnx.value_names import captures


def settle_branches(model: ModelProto, observed: Observed) -> tuple[ModelProto, list[NodeProto]]:
    """The model without the Ifs whose condition was the same at all lengths seen, and these Ifs."""
    told = _told_by_inputs(model.graph)
    settled = [node for node in model.graph.node if _is_settled(node, told, observed)]
    made = ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:]
    for node in model.graph.node:
        if node not in settled:
            made.graph.node.append(node)
            continue
        branch = _taken(node, observed)
        made.graph.initializer.extend(branch.initializer)
        made.graph.node.extend((*branch.node, *_handed_on(branch, node)))
    return made, settled


def check_branches(settled: Iterable[NodeProto], labels: Mapping[str, Label]) -> None:
    """Raises LeftWhole where the condition of such an If is another at some length that was not seen."""
    for node in settled:
        if labels[node.input[0]] != Still():
            raise LeftWhole(f"{shown(node)} uses the number of events")


def _told_by_inputs(graph: GraphProto) -> set[str]:
    """Values that depend on what the inputs hold, and not on their shapes alone."""
    told = {item.name for item in graph.input} - {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type not in SHAPES and not told.isdisjoint((*node.input, *captures(node))):
            told.update(name for name in node.output if name)
    return told


def _is_settled(node: NodeProto, told: set[str], observed: Observed) -> bool:
    if node.op_type != "If" or node.input[0] in told:
        return False
    return node.input[0] in observed and observed.settled(node.input[0])


def _taken(node: NodeProto, observed: Observed) -> GraphProto:
    name = "then_branch" if observed.arrays(node.input[0])[0].all() else "else_branch"
    return next(item.g for item in node.attribute if item.name == name)


def _handed_on(branch: GraphProto, node: NodeProto) -> Iterator[NodeProto]:
    for inside, outside in zip(branch.output, node.output, strict=True):
        yield helper.make_node("Identity", [inside.name], [outside], name=f"{node.name}/{outside}")
