"""Recurrent nodes with the batch as their first axis, which onnxruntime's CPU kernels refuse, made to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnx import ModelProto, NodeProto, helper

from sequela.adapters.onnx.recurrent_nodes import (
    FIRST_STATE,
    is_recurrent,
)
from sequela.adapters.onnx.value_names import FreshName, fresh_names

EVENTS = 0
BATCH_AND_TIME = (1, 0, 2)
"""(n, l, d) to (l, n, d) and back; of states, (n, directions, width) to (directions, n, width) and back."""
STEPS = (2, 0, 1, 3)
"""(l, directions, n, width) to (n, l, directions, width)."""


def with_time_first(model: ModelProto) -> ModelProto:
    """The model with each of its nodes of `layout` 1 as one of layout 0 between transpositions; the same
    model where there is none.
    """
    if not any(map(_is_batch_first, model.graph.node)):
        return model
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    fresh = fresh_names(model)
    nodes = [new for node in model.graph.node for new in _with_time_first(node, fresh)]
    del rewritten.graph.node[:]
    rewritten.graph.node.extend(nodes)
    return rewritten


def _is_batch_first(node: NodeProto) -> bool:
    return is_recurrent(node) and any(item.name == "layout" and item.i == 1 for item in node.attribute)


def _with_time_first(node: NodeProto, fresh: FreshName) -> Iterator[NodeProto]:
    if not _is_batch_first(node):
        yield node
        return
    turned = NodeProto()
    turned.CopyFrom(node)
    del turned.attribute[:]
    turned.attribute.extend(item for item in node.attribute if item.name != "layout")
    for place in (EVENTS, *range(FIRST_STATE, min(len(node.input), FIRST_STATE + 2))):
        if node.input[place]:
            turned.input[place] = fresh(node.input[place])
            yield _transposed(node.input[place], turned.input[place], BATCH_AND_TIME)
    behind = []
    for place, name in enumerate(node.output):
        if name:
            turned.output[place] = fresh(name)
            behind.append(_transposed(turned.output[place], name, BATCH_AND_TIME if place else STEPS))
    yield from (turned, *behind)


def _transposed(source: str, target: str, order: Sequence[int]) -> NodeProto:
    return helper.make_node("Transpose", [source], [target], name=f"{target}/turned", perm=list(order))
