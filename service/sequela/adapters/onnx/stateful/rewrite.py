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
    is_recurrent,
    shown,
)
from sequela.adapters.onnx.stateful.observed_values import Observed
from sequela.adapters.onnx.stateful.refusal import LeftWhole
from sequela.adapters.onnx.value_names import Fresh, captures, fresh_names, needed


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One state of a recurrent node: its input and output, both (1, n, width), what it starts from (width,),
    and the node as people know it.
    """

    entry: str
    exit: str
    initial: NDArray[Any]
    cell: str


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A graph from states to some outputs, and which of the model's inputs it takes."""

    model: ModelProto
    inputs: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class FromStates:
    """A model taken apart: one graph from states to states, one from states to the model's output.

    Two, because onnxruntime computes all that a graph's outputs need, whichever of them are fetched.
    """

    states: tuple[State, ...]
    advancing: Part
    finishing: Part


def rewrite(model: ModelProto, output: str, observed: Observed) -> FromStates:
    """Drops all that neither the output nor the states need. The graph's structure has been proven.

    Raises LeftWhole where a node does not start all sequences alike.
    """
    fresh = fresh_names(model)
    nodes: list[NodeProto] = []
    states: list[State] = []
    for original in needed(model.graph.node, [output]):
        node = NodeProto()
        node.CopyFrom(original)
        if is_recurrent(node):
            states += _open(node, observed, fresh)
        nodes.append(node)
    exits = [state.exit for state in states]
    return FromStates(
        tuple(states), _part(model, nodes, states, exits), _part(model, nodes, states, [output])
    )


def _open(node: NodeProto, observed: Observed, fresh: Fresh) -> Iterator[State]:
    """Gives the node names for its states; its other inputs and outputs stay."""
    count = STATES[node.op_type]
    initial = [_initial(node, place, observed) for place in range(FIRST_STATE, FIRST_STATE + count)]
    node.input.extend([""] * (FIRST_STATE + count - len(node.input)))
    node.output.extend([""] * (1 + count - len(node.output)))
    node.input[SEQUENCE_LENGTHS] = ""
    for number, start in enumerate(initial):
        state = State(
            fresh("state_in"),
            node.output[1 + number] or fresh("state_out"),
            np.ascontiguousarray(start),
            shown(node),
        )
        node.input[FIRST_STATE + number], node.output[1 + number] = state.entry, state.exit
        yield state


def _initial(node: NodeProto, place: int, observed: Observed) -> NDArray[Any]:
    """(width,): what the node starts every row from."""
    width = observed.shapes(node.input[2])[0][-1]
    if place >= len(node.input) or not node.input[place]:
        return np.zeros(width, observed.arrays(node.input[0])[0].dtype)
    rows: NDArray[Any] = observed.arrays(node.input[place])[0].reshape(-1, width)
    if (rows != rows[0]).any():
        raise LeftWhole(f"{shown(node)} does not start all sequences alike")
    start: NDArray[Any] = rows[0]
    return start


def _part(
    model: ModelProto, nodes: Sequence[NodeProto], states: Sequence[State], outputs: Sequence[str]
) -> Part:
    kept = needed(nodes, outputs)
    used = {name for node in kept for name in (*node.input, *captures(node))} | set(outputs)
    held = [tensor for tensor in model.graph.initializer if tensor.name in used]
    constants = {tensor.name for tensor in held}
    inputs = [value for value in model.graph.input if value.name in used - constants]
    made = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    made.graph.name = model.graph.name
    made.graph.node.extend(kept)
    made.graph.initializer.extend(held)
    made.graph.sparse_initializer.extend(model.graph.sparse_initializer)
    made.graph.input.extend((*inputs, *map(_entry, states)))
    made.graph.output.extend(ValueInfoProto(name=name) for name in outputs)
    return Part(made, frozenset(value.name for value in inputs))


def _entry(state: State) -> ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(state.initial.dtype)
    return helper.make_tensor_value_info(state.entry, kind, [1, None, len(state.initial)])


def any_length(model: ModelProto, timed: Iterable[str]) -> ModelProto:
    """The model with a free number of events in these inputs; the same model where it is free already."""
    free = set(timed)
    fixed = [item for item in model.graph.input if item.name in free and _length(item).dim_value > 0]
    if not fixed:
        return model
    made = ModelProto()
    made.CopyFrom(model)
    for value in made.graph.input:
        if value.name in free:
            _length(value).Clear()
    return made


def _length(value: ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim[1]
