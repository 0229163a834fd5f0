"""How much arithmetic a graph takes for each event, from its weights alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto

WEIGHT_INPUTS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("MatMul", "Gemm", "MatMulInteger", "FusedMatMul", "FusedGemm"), (0, 1)),
    **dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger", "DynamicQuantizeMatMul"), (1,)),
    **dict.fromkeys(("RNN", "GRU", "LSTM", "DynamicQuantizeLSTM"), (1, 2)),
    **dict.fromkeys(("QLinearMatMul", "QLinearConv"), (3,)),
}
"""Operators that multiply by every weight once for each event, and the inputs that may hold weights. Tables
that rows are taken from (embeddings) cost nothing.
"""
WEIGHT_PRESERVING = frozenset(
    {"Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear"}
)


def step_work(model: ModelProto) -> int:
    """Multiply-adds of one row and one event, about: the weights that it is multiplied by."""
    return sum(_weights(model.graph, {}))


def _weights(graph: GraphProto, outside: Mapping[str, int]) -> Iterator[int]:
    sizes = {**outside, **_sizes(graph)}
    for node in graph.node:
        if node.op_type in WEIGHT_PRESERVING and node.input and node.input[0] in sizes:
            sizes[node.output[0]] = sizes[node.input[0]]
        places = WEIGHT_INPUTS.get(node.op_type, ())
        yield sum(sizes.get(node.input[place], 0) for place in places if place < len(node.input))
        for inside in _inside(node):
            handed = {
                value.name: sizes.get(name, 0) for value, name in zip(inside.input, node.input, strict=False)
            }
            yield from _weights(inside, {**sizes, **handed})


def _sizes(graph: GraphProto) -> dict[str, int]:
    """Of the graph's constants, by name."""
    held = ((node.output[0], item.t) for node in graph.node for item in node.attribute if item.HasField("t"))
    tensors = (*((tensor.name, tensor) for tensor in graph.initializer), *held)
    return {name: math.prod(tensor.dims) for name, tensor in tensors}


def _inside(node: NodeProto) -> Iterable[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
