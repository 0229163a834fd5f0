"""Finds out how a graph uses its inputs: along which axis recurrent nodes and convolutions run, and what is a state.

Values are traced from the inputs on, through operators that only move axes or work on each number by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from sequela.adapters.model_io.input_use import InputUse, StateUse
from sequela.adapters.model_io.signature import AxisSize, Signature
from sequela.adapters.onnx.recurrent_nodes import (
    FIRST_STATE,
    SEQUENCE_LENGTHS,
    STATES,
    describe_node,
    is_recurrent,
)
from sequela.adapters.onnx.value_names import needed_nodes
from sequela.explain.schema import Axis

RECURRENT_AXES = (Axis.TIME, Axis.BATCH, Axis.FEATURES)
CONVOLUTION_AXES = (Axis.BATCH, Axis.FEATURES, Axis.TIME)
CONVOLUTIONS = frozenset(
    {"Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool", "LpPool"}
    | {"GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"}
)
"""Convolutions and pools: operators that run along the axes behind (batch, channels)."""
AXIS_PRESERVING = frozenset(
    {"Identity", "Cast", "CastLike", "Dropout", "Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Exp", "Log", "Sqrt"}
    | {"Clip", "Add", "Sub", "Mul", "Div", "Pow", "Where", "IsNaN", "Not", "Min", "Max", "Softmax", "Erf"}
    | {"LayerNormalization", "BatchNormalization", "InstanceNormalization", "LeakyRelu", "Elu", "Gelu"}
    | {
        "MatMul",
        "Concat",
        "Slice",
        "Split",
        "Pad",
        "QuantizeLinear",
        "DequantizeLinear",
        "HardSigmoid",
        "Expand",
    }
)
"""Operators whose result has the axes of the input with the most axes; a MatMul replaces the last one."""


Constants: TypeAlias = Mapping[str, TensorProto]


@dataclass(frozen=True, slots=True)
class _TracedValue:
    """A value computed from one input: for each of its axes, the input's axis, or None for a new one."""

    source: str
    axes: tuple[int | None, ...]


def input_uses(model: ModelProto, signature: Signature) -> dict[str, InputUse]:
    """Returns how nodes use the inputs, by input name. An input that nodes use in different ways is left out.

    Args:
        model: A graph whose recurrent nodes have time as their first axis.
        signature: The graph's inputs, with its own order of axes.
    """
    graph = model.graph
    constants = _constants(model)
    ranks = {item.name: item.rank for item in signature.inputs}
    traced = {name: _TracedValue(name, tuple(range(rank))) for name, rank in ranks.items()}
    found: dict[str, list[InputUse]] = {}
    for node in graph.node:
        for name, use in (
            *_node_uses(node, traced, constants, signature),
            *_length_uses(node, model, signature),
        ):
            found.setdefault(name, []).append(use)
        if node.output and (value := _trace_output(node, traced, constants)) is not None:
            traced |= {output: value for output in node.output if output}
    # If two nodes use an input in different ways, neither of them proves what the input is.
    return {name: uses[0] for name, uses in found.items() if len({_facts(use) for use in uses}) == 1}


def _facts(use: InputUse) -> tuple[object, ...]:
    return (use.axes, use.state, use.lengths)


def _node_uses(
    node: NodeProto,
    traced: Mapping[str, _TracedValue],
    constants: Constants,
    signature: Signature,
) -> Iterator[tuple[str, InputUse]]:
    data = traced.get(node.input[0]) if node.input else None
    if is_recurrent(node):
        if data and (axes := _input_axes(data, RECURRENT_AXES, signature)):
            yield data.source, InputUse(describe_node(node), axes, recurrent=True)
        for index in range(FIRST_STATE, min(len(node.input), FIRST_STATE + STATES[node.op_type])):
            state = traced.get(node.input[index])
            # ONNX orders the axes of states as (directions, batch, width).
            if state and len(state.axes) == 3 and state.axes[1] is not None:
                yield (
                    state.source,
                    InputUse(describe_node(node), state=_state_use(state, node, constants, signature)),
                )
    elif node.op_type in CONVOLUTIONS and data:
        axes = _input_axes(data, CONVOLUTION_AXES, signature)
        # A convolution over several axes, as over an image, is recorded without axes.
        if axes or len(data.axes) > len(CONVOLUTION_AXES):
            yield data.source, InputUse(describe_node(node), axes)


def _length_uses(node: NodeProto, model: ModelProto, signature: Signature) -> Iterator[tuple[str, InputUse]]:
    """Yields the one input from which a recurrent node's sequence lengths are computed, if there is just one."""
    if not is_recurrent(node) or len(node.input) <= SEQUENCE_LENGTHS or not node.input[SEQUENCE_LENGTHS]:
        return
    # Exporters may cast or clip the lengths first, so consider all values that they are computed from.
    made_of = {
        name for each in needed_nodes(model.graph.node, [node.input[SEQUENCE_LENGTHS]]) for name in each.input
    }
    made_of.add(node.input[SEQUENCE_LENGTHS])
    sources = [item for item in signature.inputs if item.name in made_of]
    if len(sources) == 1 and sources[0].rank in (1, 2) and sources[0].axes[1:] in ((), (1,)):
        yield sources[0].name, InputUse(describe_node(node), lengths=True)


def _input_axes(data: _TracedValue, meanings: tuple[Axis, ...], signature: Signature) -> tuple[Axis, ...]:
    """Returns what the input's axes count, in its own order, or () if the node does not determine all of them."""
    if len(data.axes) != len(meanings):
        return ()
    named = {axis: meaning for axis, meaning in zip(data.axes, meanings, strict=True) if axis is not None}
    rank = next(item.rank for item in signature.inputs if item.name == data.source)
    # Each axis of the input must have a meaning, and the node must see no others.
    return tuple(named[axis] for axis in range(rank)) if set(named) == set(range(rank)) else ()


def _state_use(state: _TracedValue, node: NodeProto, constants: Constants, signature: Signature) -> StateUse:
    seen = next(item for item in signature.inputs if item.name == state.source)
    sizes: list[AxisSize] = list(seen.axes)
    batch = state.axes[1]
    assert batch is not None
    # Input 2 holds the recurrent weights, whose last axis is the hidden size.
    weights = constants.get(node.input[2])
    if state.axes[2] is not None and weights is not None and not isinstance(sizes[state.axes[2]], int):
        sizes[state.axes[2]] = weights.dims[2]
    return StateUse(batch, tuple(sizes))


def _trace_output(
    node: NodeProto, traced: Mapping[str, _TracedValue], constants: Constants
) -> _TracedValue | None:
    """Returns a node's output, if it can be traced to one input."""
    given = [(index, traced[name]) for index, name in enumerate(node.input) if name in traced]
    if not given:
        return None
    index, value = given[0]
    # With several inputs, the result has the axes of the one with the most (broadcasting).
    if node.op_type in AXIS_PRESERVING and (node.op_type != "MatMul" or index == 0):
        return max((item for _, item in given), key=lambda item: len(item.axes))
    if node.op_type == "Gather" and index == 1:  # An embedding: rows of a table by ids.
        return _TracedValue(value.source, (*value.axes, None))
    move = AXIS_MOVES.get(node.op_type)
    return move(node, value, constants) if move and index == 0 else None


def _trace_transpose(node: NodeProto, value: _TracedValue, _: Constants) -> _TracedValue | None:
    # Without `perm`, Transpose reverses the axes.
    perm = _attribute(node, "perm") or list(range(len(value.axes)))[::-1]
    return _TracedValue(value.source, tuple(value.axes[axis] for axis in perm))


def _trace_squeeze(node: NodeProto, value: _TracedValue, constants: Constants) -> _TracedValue | None:
    given_axes = _attribute(node, "axes")
    if given_axes is None and len(node.input) > 1 and node.input[1] in constants:
        given_axes = [int(axis) for axis in numpy_helper.to_array(constants[node.input[1]]).reshape(-1)]
    if given_axes is None:
        return None
    axes = list(value.axes)
    # Unsqueeze counts its axes in the result, and Squeeze in its input.
    rank = len(axes) + (len(given_axes) if node.op_type == "Unsqueeze" else 0)
    # In ascending order, each insertion leaves the later positions valid.
    for axis in sorted(each % rank for each in given_axes):
        if node.op_type == "Unsqueeze":
            axes.insert(axis, None)
    if node.op_type == "Squeeze":
        removed = {each % rank for each in given_axes}
        axes = [axis for index, axis in enumerate(axes) if index not in removed]
    return _TracedValue(value.source, tuple(axes))


def _trace_gather(node: NodeProto, value: _TracedValue, constants: Constants) -> _TracedValue | None:
    index = constants.get(node.input[1])
    if index is None or len(index.dims) > 1:
        return None
    axis = (_attribute(node, "axis") or 0) % len(value.axes)
    # A vector of indices keeps the axis, and a scalar removes it.
    if len(index.dims) == 1:
        return value
    return _TracedValue(value.source, (*value.axes[:axis], *value.axes[axis + 1 :]))


AXIS_MOVES: Mapping[str, Callable[[NodeProto, _TracedValue, Constants], _TracedValue | None]] = {
    "Transpose": _trace_transpose,
    "Squeeze": _trace_squeeze,
    "Unsqueeze": _trace_squeeze,
    "Gather": _trace_gather,
}


def _attribute(node: NodeProto, name: str) -> Any:
    found = next((item for item in node.attribute if item.name == name), None)
    return None if found is None else helper.get_attribute_value(found)


def _constants(model: ModelProto) -> dict[str, TensorProto]:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for item in node.attribute:
                if item.name == "value":
                    constants[node.output[0]] = item.t
    return constants
