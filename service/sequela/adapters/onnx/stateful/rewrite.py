"""The same graph with its recurrent nodes' initial states as inputs and their final states as outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from sequela.adapters.onnx.recurrent_nodes import (
    FIRST_STATE,
    SEQUENCE_LENGTHS,
    STATES,
    describe_node,
    is_recurrent,
)
from sequela.adapters.onnx.stateful import NotStateful
from sequela.adapters.onnx.stateful.observed_values import ObservedValues
from sequela.adapters.onnx.value_names import FreshName, captured_names, fresh_names, needed_nodes


@dataclass(frozen=True, slots=True, eq=False)
class NodeState:
    """One state of a recurrent node: its input and output, both (1, n, width), what it starts from (width,),
    and the node as people know it.
    """

    input_name: str
    output_name: str
    initial: NDArray[Any]
    node: str


@dataclass(frozen=True, slots=True, eq=False)
class StatefulGraph:
    """A graph from states to some outputs, and which of the model's inputs it takes."""

    model: ModelProto
    inputs: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class StatefulGraphs:
    """A model taken apart: one graph from states to states, one from states to the model's output.

    Two, because onnxruntime computes all that a graph's outputs need, whichever of them are fetched.
    """

    states: tuple[NodeState, ...]
    advance_graph: StatefulGraph
    finish_graph: StatefulGraph


def rewrite(model: ModelProto, output: str, observed: ObservedValues) -> StatefulGraphs:
    """Drops all that neither the output nor the states need. The graph's structure has been proven.

    Raises LeftWhole where a node does not start all sequences alike.
    """
    fresh = fresh_names(model)
    nodes: list[NodeProto] = []
    states: list[NodeState] = []
    for original in needed_nodes(model.graph.node, [output]):
        node = NodeProto()
        node.CopyFrom(original)
        if is_recurrent(node):
            states += _expose_states(node, observed, fresh)
        nodes.append(node)
    exits = [state.output_name for state in states]
    return StatefulGraphs(
        tuple(states),
        _stateful_graph(model, nodes, states, exits),
        _stateful_graph(model, nodes, states, [output]),
    )


def _expose_states(node: NodeProto, observed: ObservedValues, fresh: FreshName) -> Iterator[NodeState]:
    """Gives the node names for its states; its other inputs and outputs stay."""
    count = STATES[node.op_type]
    initial = [_initial(node, place, observed) for place in range(FIRST_STATE, FIRST_STATE + count)]
    node.input.extend([""] * (FIRST_STATE + count - len(node.input)))
    node.output.extend([""] * (1 + count - len(node.output)))
    node.input[SEQUENCE_LENGTHS] = ""
    for number, start in enumerate(initial):
        state = NodeState(
            fresh("state_in"),
            node.output[1 + number] or fresh("state_out"),
            np.ascontiguousarray(start),
            describe_node(node),
        )
        node.input[FIRST_STATE + number], node.output[1 + number] = state.input_name, state.output_name
        yield state


def _initial(node: NodeProto, place: int, observed: ObservedValues) -> NDArray[Any]:
    """(width,): what the node starts every row from."""
    width = observed.shapes(node.input[2])[0][-1]
    if place >= len(node.input) or not node.input[place]:
        return np.zeros(width, observed.arrays(node.input[0])[0].dtype)
    rows: NDArray[Any] = observed.arrays(node.input[place])[0].reshape(-1, width)
    if (rows != rows[0]).any():
        raise NotStateful(f"{describe_node(node)} does not start all sequences alike")
    start: NDArray[Any] = rows[0]
    return start


def _stateful_graph(
    model: ModelProto, nodes: Sequence[NodeProto], states: Sequence[NodeState], outputs: Sequence[str]
) -> StatefulGraph:
    kept = needed_nodes(nodes, outputs)
    used = {name for node in kept for name in (*node.input, *captured_names(node))} | set(outputs)
    held = [tensor for tensor in model.graph.initializer if tensor.name in used]
    constants = {tensor.name for tensor in held}
    inputs = [value for value in model.graph.input if value.name in used - constants]
    rewritten = ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    rewritten.graph.name = model.graph.name
    rewritten.graph.node.extend(kept)
    rewritten.graph.initializer.extend(held)
    rewritten.graph.sparse_initializer.extend(model.graph.sparse_initializer)
    rewritten.graph.input.extend((*inputs, *map(_entry, states)))
    rewritten.graph.output.extend(ValueInfoProto(name=name) for name in outputs)
    return StatefulGraph(rewritten, frozenset(value.name for value in inputs))


def _entry(state: NodeState) -> ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(state.initial.dtype)
    return helper.make_tensor_value_info(state.input_name, kind, [1, None, len(state.initial)])


def free_time_axis(model: ModelProto, timed: Iterable[str]) -> ModelProto:
    """The model with a free number of events in these inputs; the same model where it is free already."""
    free = set(timed)
    fixed = [item for item in model.graph.input if item.name in free and _length(item).dim_value > 0]
    if not fixed:
        return model
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    for value in rewritten.graph.input:
        if value.name in free:
            _length(value).Clear()
    return rewritten


def _length(value: ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim[1]
