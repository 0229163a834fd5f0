"""Sorts the nodes of a file so that each one comes after those whose values it reads, as ONNX demands.

onnxruntime also loads files whose nodes are in another order. Everything else in this package reads the nodes once,
from first to last.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from sequela.adapters.onnx.recurrent_nodes import describe_node
from sequela.adapters.onnx.subgraphs import subgraphs
from sequela.adapters.onnx.value_names import captured_names
from sequela.errors import InvalidInput


def sort_nodes(model: ModelProto, path: str) -> None:
    """Sorts all nodes in place. Files that are in order stay as they are.

    Raises:
        InvalidInput: MODEL_NOT_RUNNABLE if nodes wait for each other, or if two nodes compute the same value.
    """
    for body in _bodies(model):
        nodes = list(body.node)
        producers = _producers(nodes, path)
        sources = [_sources(index, node, producers, path) for index, node in enumerate(nodes)]
        if all(source < index for index, found in enumerate(sources) for source in found):
            continue
        order = [nodes[index] for index in _order(nodes, sources, path)]
        del body.node[:]
        body.node.extend(order)


def _bodies(model: ModelProto) -> Iterator[GraphProto | FunctionProto]:
    """Yields every graph, innermost first, because sorting an outer one copies its nodes."""
    found: list[GraphProto | FunctionProto] = [model.graph, *model.functions]
    for body in found:  # grows while it is read
        found.extend(graph for node in body.node for graph in subgraphs(node))
    yield from reversed(found)


def _producers(nodes: Sequence[NodeProto], path: str) -> dict[str, int]:
    """Returns the index of the node that computes each value."""
    producers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in producers:
                text = f"two nodes compute the value {name!r}, {describe_node(nodes[producers[name]])} and "
                raise InvalidInput.at(path, "MODEL_NOT_RUNNABLE", f"{text}{describe_node(node)}")
            producers[name] = index
    return producers


def _sources(index: int, node: NodeProto, producers: dict[str, int], path: str) -> set[int]:
    """Returns the indices of the nodes that must come before one."""
    sources = {producers[name] for name in (*node.input, *captured_names(node)) if name in producers}
    if index in sources:
        raise _circle(node, path)
    return sources


def _order(nodes: Sequence[NodeProto], sources: Sequence[set[int]], path: str) -> list[int]:
    """Returns the indices in a valid order, as close to the file's own as possible."""
    readers: list[list[int]] = [[] for _ in nodes]
    for index, found in enumerate(sources):
        for source in found:
            readers[source].append(index)
    missing = [len(found) for found in sources]
    free = [index for index, count in enumerate(missing) if count == 0]
    order = []
    while free:
        order.append(heapq.heappop(free))
        for reader in readers[order[-1]]:
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(free, reader)
    if len(order) < len(nodes):
        raise _circle(nodes[next(index for index, count in enumerate(missing) if count)], path)
    return order


def _circle(node: NodeProto, path: str) -> InvalidInput:
    text = (
        f"the graph is not acyclic: {describe_node(node)} needs a value that is computed from its own output"
    )
    return InvalidInput.at(path, "MODEL_NOT_RUNNABLE", text)
