"""Rewrites a graph so that the states of its recurrent nodes are inputs and outputs."""

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
    """One state of a recurrent node.

    Attributes:
        input_name: The graph input that takes the state, shape (1, n, width).
        output_name: The graph output that gives the state after the last event, shape (1, n, width).
        initial: What the state starts from, shape (width,).
        node: The node, as messages name it.
    """

    input_name: str
    output_name: str
    initial: NDArray[Any]
    node: str


@dataclass(frozen=True, slots=True, eq=False)
class StatefulGraph:
    """A graph that starts from given states, and the names of the model's inputs that it takes."""

    model: ModelProto
    inputs: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class StatefulGraphs:
    """A rewritten model: one graph from states to states, and one from states to the model's output.

    There are two because onnxruntime computes everything that a graph's outputs need, whichever of them are fetched.
    """

    states: tuple[NodeState, ...]
    advance_graph: StatefulGraph
    finish_graph: StatefulGraph


def rewrite(model: ModelProto, output: str, observed: ObservedValues) -> StatefulGraphs:
    """Rewrites a model whose structure was proven by `label_propagation`, without what neither graph needs.

    Args:
        model: The model with branches inlined, and a free number of events.
        output: The name of the output that is explained.
        observed: The model's values, for initial states that the graph computes.

    Raises:
        NotStateful: A node starts the sequences of a batch from different states.
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
    state_outputs = [state.output_name for state in states]
    return StatefulGraphs(
        tuple(states),
        _stateful_graph(model, nodes, states, state_outputs),
        _stateful_graph(model, nodes, states, [output]),
    )


def _expose_states(node: NodeProto, observed: ObservedValues, fresh: FreshName) -> Iterator[NodeState]:
    """Turns the states of a node into named inputs and outputs, in place."""
    count = STATES[node.op_type]
    initial = [_initial_state(node, index, observed) for index in range(FIRST_STATE, FIRST_STATE + count)]
    # In ONNX, an optional input or output that is left out has an empty name.
    node.input.extend([""] * (FIRST_STATE + count - len(node.input)))
    node.output.extend([""] * (1 + count - len(node.output)))
    # The rules let a node with sequence lengths through only if they equal the number of events.
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


def _initial_state(node: NodeProto, index: int, observed: ObservedValues) -> NDArray[Any]:
    """Returns what the node starts every sequence from, (width,)."""
    # Input 2 holds the recurrent weights, whose last axis is the hidden size.
    width = observed.shapes(node.input[2])[0][-1]
    if index >= len(node.input) or not node.input[index]:
        return np.zeros(width, observed.arrays(node.input[0])[0].dtype)
    rows: NDArray[Any] = observed.arrays(node.input[index])[0].reshape(-1, width)
    if (rows != rows[0]).any():
        raise NotStateful(f"{describe_node(node)} starts the sequences of a batch from different states")
    start: NDArray[Any] = rows[0]
    return start


def _stateful_graph(
    model: ModelProto, nodes: Sequence[NodeProto], states: Sequence[NodeState], outputs: Sequence[str]
) -> StatefulGraph:
    # Each graph keeps only what its own outputs need, which is what makes advancing cheap.
    kept = needed_nodes(nodes, outputs)
    used = {name for node in kept for name in (*node.input, *captured_names(node))} | set(outputs)
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in used]
    constants = {tensor.name for tensor in initializers}
    inputs = [value for value in model.graph.input if value.name in used - constants]
    rewritten = ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    rewritten.graph.name = model.graph.name
    rewritten.graph.node.extend(kept)
    rewritten.graph.initializer.extend(initializers)
    rewritten.graph.sparse_initializer.extend(model.graph.sparse_initializer)
    rewritten.graph.input.extend((*inputs, *map(_state_input, states)))
    # The outputs have no type, because onnxruntime infers it.
    rewritten.graph.output.extend(ValueInfoProto(name=name) for name in outputs)
    return StatefulGraph(rewritten, frozenset(value.name for value in inputs))


def _state_input(state: NodeState) -> ValueInfoProto:
    element_type = helper.np_dtype_to_tensor_dtype(state.initial.dtype)
    return helper.make_tensor_value_info(state.input_name, element_type, [1, None, len(state.initial)])


def free_time_axis(model: ModelProto, event_inputs: Iterable[str]) -> ModelProto:
    """Frees the number of events in these inputs. Returns the same model if all of them are free already."""
    names = set(event_inputs)
    fixed = [item for item in model.graph.input if item.name in names and _time_axis(item).dim_value > 0]
    if not fixed:
        return model
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    for value in rewritten.graph.input:
        if value.name in names:
            _time_axis(value).Clear()
    return rewritten


def _time_axis(value: ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim[1]
