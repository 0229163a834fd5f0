"""Names within a graph: what a node uses, what is needed for a value, and names that nobody has yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from onnx import GraphProto, ModelProto, NodeProto

FreshName: TypeAlias = Callable[[str], str]
"""A new name like the given one."""


def captured_names(node: NodeProto) -> set[str]:
    """Names that the graphs inside a node may take from outside."""
    inside = list(_nested(node))
    used = {name for graph in inside for each in graph.node for name in each.input}
    return used | {output.name for graph in inside for output in graph.output}


def _nested(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        for inside in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            yield inside
            for each in inside.node:
                yield from _nested(each)


def needed_nodes(nodes: Sequence[NodeProto], values: Iterable[str]) -> list[NodeProto]:
    """The nodes that these values are made by, in the graph's order."""
    wanted, kept = set(values), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted |= {*node.input, *captured_names(node)}
            wanted.discard("")
            kept.append(node)
    return kept[::-1]


def fresh_names(model: ModelProto) -> FreshName:
    """Gives names that the model does not use, and none twice."""
    taken = {name for node in model.graph.node for name in (*node.input, *node.output, *captured_names(node))}
    taken |= {value.name for value in (*model.graph.input, *model.graph.output)}
    taken |= {tensor.name for tensor in model.graph.initializer}

    def fresh(name: str) -> str:
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    return fresh
