"""Rewrites recurrent nodes whose batch is the first axis (`layout` 1), which onnxruntime's CPU kernels refuse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnx import ModelProto, NodeProto, helper

from sequela.adapters.onnx.recurrent_nodes import FIRST_STATE, is_recurrent
from sequela.adapters.onnx.value_names import FreshName, fresh_names

EVENTS_INPUT = 0
SWAP_BATCH = (1, 0, 2)
"""Swaps the batch with time, (n, l, d) to (l, n, d), or in states with directions. It is its own inverse."""
STEPS_TO_BATCH_FIRST = (2, 0, 1, 3)
"""Turns the steps of a recurrent node from (l, directions, n, width) to (n, l, directions, width)."""


def with_time_first(model: ModelProto) -> ModelProto:
    """Replaces each recurrent node of `layout` 1 by one of layout 0 between transpositions.

    Returns:
        The same model if it has no such node.
    """
    if not any(map(_is_batch_first, model.graph.node)):
        return model
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    fresh = fresh_names(model)
    nodes = [new for node in model.graph.node for new in _time_first_nodes(node, fresh)]
    del rewritten.graph.node[:]
    rewritten.graph.node.extend(nodes)
    return rewritten


def _is_batch_first(node: NodeProto) -> bool:
    return is_recurrent(node) and any(item.name == "layout" and item.i == 1 for item in node.attribute)


def _time_first_nodes(node: NodeProto, fresh: FreshName) -> Iterator[NodeProto]:
    """Yields the node itself, or the transpositions before it, the node of layout 0, and those after it."""
    if not _is_batch_first(node):
        yield node
        return
    time_first = NodeProto()
    time_first.CopyFrom(node)
    del time_first.attribute[:]
    # A node without the attribute has layout 0, time first.
    time_first.attribute.extend(item for item in node.attribute if item.name != "layout")
    for index in (EVENTS_INPUT, *range(FIRST_STATE, min(len(node.input), FIRST_STATE + 2))):
        if node.input[index]:
            time_first.input[index] = fresh(node.input[index])
            yield _transpose(node.input[index], time_first.input[index], SWAP_BATCH)
    behind = []
    for index, name in enumerate(node.output):
        if name:
            time_first.output[index] = fresh(name)
            # Output 0 holds the steps, and the other outputs hold final states.
            order = SWAP_BATCH if index else STEPS_TO_BATCH_FIRST
            behind.append(_transpose(time_first.output[index], name, order))
    yield from (time_first, *behind)


def _transpose(source: str, target: str, order: Sequence[int]) -> NodeProto:
    return helper.make_node("Transpose", [source], [target], name=f"{target}/turned", perm=list(order))
