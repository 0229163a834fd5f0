"""Names of values in a graph: which ones a node reads, which nodes a value needs, and new names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from onnx import ModelProto, NodeProto

from sequela.adapters.onnx.subgraphs import nested_subgraphs

FreshName: TypeAlias = Callable[[str], str]
"""Makes a name that nothing in the graph has yet, similar to the given one."""


def captured_names(node: NodeProto) -> set[str]:
    """Returns names that the graphs inside a node may take from the graph around it."""
    graphs = list(nested_subgraphs(node))
    used = {name for graph in graphs for inner in graph.node for name in inner.input}
    return used | {output.name for graph in graphs for output in graph.output}


def needed_nodes(nodes: Sequence[NodeProto], values: Iterable[str]) -> list[NodeProto]:
    """Returns the nodes that compute these values, in the graph's order."""
    wanted, needed = set(values), []
    # In topological order readers come after producers, so one pass backwards finds all.
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted |= {*node.input, *captured_names(node)}
            wanted.discard("")
            needed.append(node)
    return needed[::-1]


def fresh_names(model: ModelProto) -> FreshName:
    """Returns a function that makes names which the model does not use, each of them once."""
    taken = {name for node in model.graph.node for name in (*node.input, *node.output, *captured_names(node))}
    taken |= {value.name for value in (*model.graph.input, *model.graph.output)}
    taken |= {tensor.name for tensor in model.graph.initializer}

    def fresh(name: str) -> str:
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    return fresh
