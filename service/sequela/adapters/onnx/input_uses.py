"""How recurrent nodes, convolutions and pools read a graph's inputs: which axis they take for time, and which inputs
are initial states.

Values are followed from the inputs on, through operators that only move axes or work on each number by itself.
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
"""Operators that run over the last axes of (batch, channels, …), pools among them."""
AXIS_PRESERVING = frozenset(
    {
        "Identity",
        "Cast",
        "CastLike",
        "Dropout",
        "Relu",
        "Sigmoid",
        "Tanh",
        "Neg",
        "Abs",
        "Exp",
        "Log",
        "Sqrt",
        "Clip",
    }
    | {
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Where",
        "IsNaN",
        "Not",
        "Min",
        "Max",
        "LayerNormalization",
        "Softmax",
    }
    | {
        "BatchNormalization",
        "InstanceNormalization",
        "LeakyRelu",
        "Elu",
        "Gelu",
        "MatMul",
        "Concat",
        "Slice",
        "Split",
    }
    | {"Pad", "QuantizeLinear", "DequantizeLinear", "HardSigmoid", "Erf", "Expand"}
)
"""Operators that leave the axes of their first input with several where they are; a product replaces the last."""


Constants: TypeAlias = Mapping[str, TensorProto]


@dataclass(frozen=True, slots=True)
class _TracedValue:
    """A value made of an input: for each of its axes, that of the input (None: one of its own)."""

    source: str
    axes: tuple[int | None, ...]


def input_uses(model: ModelProto, signature: Signature) -> dict[str, InputUse]:
    """By input name; what nodes disagree on is left out."""
    graph = model.graph
    constants = _constants(model)
    ranks = {item.name: item.rank for item in signature.inputs}
    traced = {name: _TracedValue(name, tuple(range(rank))) for name, rank in ranks.items()}
    found: dict[str, list[InputUse]] = {}
    for node in graph.node:
        for name, use in (*_uses(node, traced, constants, signature), *_lengths(node, model, signature)):
            found.setdefault(name, []).append(use)
        if node.output and (value := _moved(node, traced, constants)) is not None:
            traced |= {output: value for output in node.output if output}
    return {name: uses[0] for name, uses in found.items() if len({_told(use) for use in uses}) == 1}


def _told(use: InputUse) -> tuple[object, ...]:
    return (use.axes, use.state, use.lengths)


def _uses(
    node: NodeProto,
    traced: Mapping[str, _TracedValue],
    constants: Constants,
    signature: Signature,
) -> Iterator[tuple[str, InputUse]]:
    data = traced.get(node.input[0]) if node.input else None
    if is_recurrent(node):
        if data and (axes := _named(data, RECURRENT_AXES, signature)):
            yield data.source, InputUse(describe_node(node), axes, recurrent=True)
        for place in range(FIRST_STATE, min(len(node.input), FIRST_STATE + STATES[node.op_type])):
            state = traced.get(node.input[place])
            if state and len(state.axes) == 3 and state.axes[1] is not None:
                yield (
                    state.source,
                    InputUse(describe_node(node), state=_state(state, node, constants, signature)),
                )
    elif node.op_type in CONVOLUTIONS and data:
        axes = _named(data, CONVOLUTION_AXES, signature)
        if axes or len(data.axes) > len(CONVOLUTION_AXES):
            yield data.source, InputUse(describe_node(node), axes)


def _lengths(node: NodeProto, model: ModelProto, signature: Signature) -> Iterator[tuple[str, InputUse]]:
    """The one input that a recurrent node's numbers of real events are made of."""
    if not is_recurrent(node) or len(node.input) <= SEQUENCE_LENGTHS or not node.input[SEQUENCE_LENGTHS]:
        return
    made_of = {
        name for each in needed_nodes(model.graph.node, [node.input[SEQUENCE_LENGTHS]]) for name in each.input
    }
    made_of.add(node.input[SEQUENCE_LENGTHS])
    sources = [item for item in signature.inputs if item.name in made_of]
    if len(sources) == 1 and sources[0].rank in (1, 2) and sources[0].axes[1:] in ((), (1,)):
        yield sources[0].name, InputUse(describe_node(node), lengths=True)


def _named(data: _TracedValue, words: tuple[Axis, ...], signature: Signature) -> tuple[Axis, ...]:
    """The input's axes in its own order; empty where the node does not tell all of them."""
    if len(data.axes) != len(words):
        return ()
    named = {axis: word for axis, word in zip(data.axes, words, strict=True) if axis is not None}
    rank = next(item.rank for item in signature.inputs if item.name == data.source)
    return tuple(named[axis] for axis in range(rank)) if set(named) == set(range(rank)) else ()


def _state(state: _TracedValue, node: NodeProto, constants: Constants, signature: Signature) -> StateUse:
    seen = next(item for item in signature.inputs if item.name == state.source)
    sizes: list[AxisSize] = list(seen.axes)
    batch = state.axes[1]
    assert batch is not None
    weights = constants.get(node.input[2])
    if state.axes[2] is not None and weights is not None and not isinstance(sizes[state.axes[2]], int):
        sizes[state.axes[2]] = weights.dims[2]
    return StateUse(batch, tuple(sizes))


def _moved(node: NodeProto, traced: Mapping[str, _TracedValue], constants: Constants) -> _TracedValue | None:
    """What comes out of a node, where that follows one input."""
    given = [(place, traced[name]) for place, name in enumerate(node.input) if name in traced]
    if not given:
        return None
    place, value = given[0]
    if node.op_type in AXIS_PRESERVING and (node.op_type != "MatMul" or place == 0):
        return max((item for _, item in given), key=lambda item: len(item.axes))
    if node.op_type == "Gather" and place == 1:  # rows of a table, by ids
        return _TracedValue(value.source, (*value.axes, None))
    move = AXIS_MOVES.get(node.op_type)
    return move(node, value, constants) if move and place == 0 else None


def _transposed(node: NodeProto, value: _TracedValue, _: Constants) -> _TracedValue | None:
    perm = _attribute(node, "perm") or list(range(len(value.axes)))[::-1]
    return _TracedValue(value.source, tuple(value.axes[axis] for axis in perm))


def _squeezed(node: NodeProto, value: _TracedValue, constants: Constants) -> _TracedValue | None:
    told = _attribute(node, "axes")
    if told is None and len(node.input) > 1 and node.input[1] in constants:
        told = [int(axis) for axis in numpy_helper.to_array(constants[node.input[1]]).reshape(-1)]
    if told is None:
        return None
    axes = list(value.axes)
    rank = len(axes) + (len(told) if node.op_type == "Unsqueeze" else 0)
    for axis in sorted(each % rank for each in told):
        if node.op_type == "Unsqueeze":
            axes.insert(axis, None)
    if node.op_type == "Squeeze":
        gone = {each % rank for each in told}
        axes = [axis for place, axis in enumerate(axes) if place not in gone]
    return _TracedValue(value.source, tuple(axes))


def _gathered(node: NodeProto, value: _TracedValue, constants: Constants) -> _TracedValue | None:
    index = constants.get(node.input[1])
    if index is None or len(index.dims) > 1:
        return None
    axis = (_attribute(node, "axis") or 0) % len(value.axes)
    if len(index.dims) == 1:
        return value
    return _TracedValue(value.source, (*value.axes[:axis], *value.axes[axis + 1 :]))


AXIS_MOVES: Mapping[str, Callable[[NodeProto, _TracedValue, Constants], _TracedValue | None]] = {
    "Transpose": _transposed,
    "Squeeze": _squeezed,
    "Unsqueeze": _squeezed,
    "Gather": _gathered,
}


def _attribute(node: NodeProto, name: str) -> Any:
    found = next((item for item in node.attribute if item.name == name), None)
    return None if found is None else helper.get_attribute_value(found)


def _constants(model: ModelProto) -> dict[str, TensorProto]:
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            for item in node.attribute:
                if item.name == "value":
                    held[node.output[0]] = item.t
    return held
