"""Finds out whether a graph's output lies in [0, 1], so that default tolerances may be absolute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnx import GraphProto, ModelProto, NodeProto

from sequela.adapters.onnx.recurrent_nodes import STANDARD_DOMAINS

BOUNDED = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
MOVE_OPERATORS = frozenset(
    {"Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Identity", "Cast", "Expand", "Dropout"}
    | {"Gather", "GatherElements", "GatherND", "Slice", "Split"}
)
"""Operators whose output holds values of their first input, and no others."""


def is_bounded(model: ModelProto, output: str) -> bool:
    """Returns whether the last operator that changes values has results in [0, 1].

    Operators that move values do not count.
    """
    return _is_bounded(output, _producers(model.graph))


Producers = Mapping[str, NodeProto]


def _producers(graph: GraphProto) -> Producers:
    return {name: node for node in graph.node for name in node.output}


def _is_bounded(value: str, producers: Producers) -> bool:
    node = producers.get(value)
    if node is None or node.domain not in STANDARD_DOMAINS:
        return False
    if node.op_type in MOVE_OPERATORS:
        return _is_bounded(node.input[0], producers)
    if node.op_type == "Concat":
        return _are_bounded(node.input, producers)
    if node.op_type == "If":
        # A branch may return values of the graph around it, so it needs both sets of producers.
        branches = [attribute.g for attribute in node.attribute]
        index = list(node.output).index(value)
        return all(_is_bounded(g.output[index].name, {**producers, **_producers(g)}) for g in branches)
    return node.op_type in BOUNDED


def _are_bounded(values: Iterable[str], producers: Producers) -> bool:
    return all(_is_bounded(value, producers) for value in values)
