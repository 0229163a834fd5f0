"""The same graph with its recurrent nodes' initial states as inputs and their final states as outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from sequela.adapters.onnx_names import Fresh, captures, fresh_names, needed
from sequela.adapters.onnx_observed import Observed
from sequela.adapters.onnx_recurrent_nodes import FIRST_STATE, SEQUENCE_LENGTHS, STATES, is_recurrent, shown
from sequela.adapters.onnx_whole import LeftWhole


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
class FromStates:
    """A rewritten model and its states."""

    model: ModelProto
    states: tuple[State, ...]
    inputs: frozenset[str]


def rewrite(model: ModelProto, output: str, observed: Observed) -> FromStates:
    """Drops all that the output and the states do not need. The graph's structure has been proven.

    Raises LeftWhole where no recurrent node reaches the output.
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
    kept = needed(nodes, [output, *(state.exit for state in states)])
    return _assembled(model, output, kept, states)


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


def _assembled(
    model: ModelProto, output: str, nodes: Sequence[NodeProto], states: Sequence[State]
) -> FromStates:
    made = ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    used = {name for node in nodes for name in (*node.input, *captures(node))} | {output}
    inputs = [value for value in model.graph.input if value.name in used]
    _replace(graph.node, nodes)
    _replace(graph.initializer, [tensor for tensor in model.graph.initializer if tensor.name in used])
    _replace(graph.input, [*inputs, *map(_entry, states)])
    _replace(graph.output, [ValueInfoProto(name=name) for name in (output, *(s.exit for s in states))])
    del graph.value_info[:]
    held = {tensor.name for tensor in model.graph.initializer}
    return FromStates(
        made, tuple(states), frozenset(value.name for value in inputs if value.name not in held)
    )


def _replace(field: Any, items: Iterable[Any]) -> None:
    copies = list(items)
    del field[:]
    field.extend(copies)


def _entry(state: State) -> ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(state.initial.dtype)
    return helper.make_tensor_value_info(state.entry, kind, [1, None, len(state.initial)])


def any_length(model: ModelProto, timed: Iterable[str]) -> ModelProto:
    """The model with a free number of events in these inputs."""
    made, free = ModelProto(), set(timed)
    made.CopyFrom(model)
    for value in made.graph.input:
        if value.name in free:
            value.type.tensor_type.shape.dim[1].Clear()
    return made
