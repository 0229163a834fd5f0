"""Estimates the arithmetic that a graph does for each event, from its weights alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto

from sequela.adapters.onnx.subgraphs import subgraphs

WEIGHT_INPUTS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("MatMul", "Gemm", "MatMulInteger", "FusedMatMul", "FusedGemm"), (0, 1)),
    **dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger", "DynamicQuantizeMatMul"), (1,)),
    **dict.fromkeys(("RNN", "GRU", "LSTM", "DynamicQuantizeLSTM"), (1, 2)),
    **dict.fromkeys(("QLinearMatMul", "QLinearConv"), (3,)),
}
"""Operators that multiply by each weight once for each event, and which of their inputs may be weights. Tables that
rows are taken from (embeddings) cost nothing.
"""
WEIGHT_PRESERVING = frozenset(
    {"Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear"}
)
"""Operators behind which weights are still weights."""


def step_work(model: ModelProto) -> int:
    """Estimates the multiply-adds of one event of one sequence: the number of weights that it is multiplied by."""
    return sum(_weight_counts(model.graph, {}))


def _weight_counts(graph: GraphProto, outside: Mapping[str, int]) -> Iterator[int]:
    """Yields the number of weights of each node. `outside` holds sizes of constants of the graphs around this one."""
    sizes = {**outside, **_constant_sizes(graph)}
    for node in graph.node:
        if node.op_type in WEIGHT_PRESERVING and node.input and node.input[0] in sizes:
            # Quantised and half-precision models convert weights on their way to the operator.
            sizes[node.output[0]] = sizes[node.input[0]]
        yield _weight_count(node, sizes)
        for inner in subgraphs(node):
            # The bodies of Loop and Scan receive weights as inputs.
            passed = {
                value.name: sizes.get(name, 0) for value, name in zip(inner.input, node.input, strict=False)
            }
            yield from _weight_counts(inner, {**sizes, **passed})


def _weight_count(node: NodeProto, sizes: Mapping[str, int]) -> int:
    indices = WEIGHT_INPUTS.get(node.op_type, ())
    return sum(sizes.get(node.input[index], 0) for index in indices if index < len(node.input))


def _constant_sizes(graph: GraphProto) -> dict[str, int]:
    """Returns the number of elements of each constant, by name."""
    in_nodes = (
        (node.output[0], item.t) for node in graph.node for item in node.attribute if item.HasField("t")
    )
    tensors = (*((tensor.name, tensor) for tensor in graph.initializer), *in_nodes)
    return {name: math.prod(tensor.dims) for name, tensor in tensors}
