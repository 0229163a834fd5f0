"""Walks the graphs inside nodes (the branches of an If, the bodies of Loop and Scan), and renames values in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import GraphProto, ModelProto, NodeProto


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yields the graphs that a node holds as attributes, not those nested deeper."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def nested_subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yields the graphs inside a node, at any depth."""
    for graph in subgraphs(node):
        yield graph
        for inner in graph.node:
            yield from nested_subgraphs(inner)


def walk_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yields these nodes, the nodes of the graphs inside them, and those of the file's functions that they call."""
    functions = {(function.domain, function.name): function for function in model.functions}
    waiting, called = list(nodes), set()
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(inner for graph in subgraphs(node) for inner in graph.node)
        # A function that is called twice is walked once.
        key = (node.domain, node.op_type)
        if key in functions and key not in called:
            called.add(key)
            waiting.extend(functions[key].node)


def rename_value(graph: GraphProto, old: str, new: str) -> None:
    """Renames a value in place wherever nodes read or write it, in the graphs inside nodes too.

    The graph's own lists of inputs and outputs keep the old name.
    """
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
        for inner in subgraphs(node):
            rename_value(inner, old, new)
            for value in inner.output:
                if value.name == old:
                    value.name = new
