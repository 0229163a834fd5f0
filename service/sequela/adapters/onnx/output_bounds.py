"""Finds out whether a graph's output lies in [0, 1], so that default tolerances may be absolute."""

from __future__ import annotations

from onnx import GraphProto, ModelProto, NodeProto

from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS
from sequela.adapters.onnx.subgraphs import subgraphs

BOUNDED = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
MOVE_OPERATORS = frozenset(
    {"Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Identity", "Cast", "Expand", "Dropout"}
    | {"Gather", "GatherElements", "GatherND", "Slice", "Split"}
)
"""Operators whose output holds values of their first input, and no others."""


def is_bounded(model: ModelProto, output: str) -> bool:
    """Returns whether the last operator that changes values has results in [0, 1].

    Operators that move values do not count. Each value is looked at once, however often the graph repeats it.
    """
    waiting, seen = [(_Scope(model.graph), output)], set()
    while waiting:
        scope, name = waiting.pop()
        found = scope.find(name)
        if found is None:
            return False
        scope, node = found
        if (scope, name) in seen:
            continue
        seen.add((scope, name))
        if (sources := _sources(scope, node, name)) is not None:
            waiting.extend(sources)
        elif node.op_type not in BOUNDED:
            return False
    return True


class _Scope:
    """A graph, and the graph around it, whose values it may read too."""

    def __init__(self, graph: GraphProto, outer: _Scope | None = None) -> None:
        self._producers = {name: node for node in graph.node for name in node.output}
        self._outer = outer
        self._inner: dict[tuple[str, int], _Scope] = {}

    def find(self, name: str) -> tuple[_Scope, NodeProto] | None:
        """Returns the node that makes a value, and the graph that it is in. None unless it is an operator of ONNX."""
        if name in self._producers:
            node = self._producers[name]
            return (self, node) if node.domain in STANDARD_DOMAINS else None
        return self._outer.find(name) if self._outer else None

    def branches(self, node: NodeProto) -> list[tuple[_Scope, GraphProto]]:
        """Returns the branches of an `If`, as the same scopes each time."""
        graphs = list(subgraphs(node))
        keys = [(node.output[0], index) for index in range(len(graphs))]
        for key, graph in zip(keys, graphs, strict=True):
            if key not in self._inner:
                self._inner[key] = _Scope(graph, self)
        return [(self._inner[key], graph) for key, graph in zip(keys, graphs, strict=True)]


def _sources(scope: _Scope, node: NodeProto, value: str) -> list[tuple[_Scope, str]] | None:
    """Returns the values that a node's output consists of, or None if the node makes new values."""
    if node.op_type in MOVE_OPERATORS:
        return [(scope, name) for name in node.input[:1]] or [(scope, "")]
    if node.op_type == "Concat":
        return [(scope, name) for name in node.input]
    if node.op_type != "If":
        return None
    index = list(node.output).index(value)
    # A branch may return values of the graph around it.
    return [(inner, _output_name(graph, index)) for inner, graph in scope.branches(node)]


def _output_name(graph: GraphProto, index: int) -> str:
    return graph.output[index].name if index < len(graph.output) else ""
