"""Rules for operators that compute with values of events, and the table of all rules.

A rule takes a node with at least one PerEvent input (and no LastEvent or LengthDependent one). It returns the label of
the node's output, or raises `NotStateful` if the operator may combine events. To let one more operator run from states,
add its rule here or in `layout_rules`, and its name to `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from sequela.adapters.onnx.recurrent_nodes import SEQUENCE_LENGTHS
from sequela.adapters.onnx.stateful.affine import sequence_length
from sequela.adapters.onnx.stateful.layout_rules import (
    concat,
    expand,
    gather,
    one_hot,
    pad,
    reshape,
    slice_axes,
    split,
    transpose,
)
from sequela.adapters.onnx.stateful.node_context import NodeContext, first_input, positive_axis
from sequela.adapters.onnx.stateful.time_dependence import (
    Constant,
    PerEvent,
    TimeDependence,
    holds_only_events,
    with_axis,
)

Rule: TypeAlias = Callable[[NodeContext], TimeDependence]

ALONG_EVENTS = "runs along the event axis"


def elementwise(node: NodeContext) -> TimeDependence:
    """Labels operators whose result has one number for each number of the inputs, with broadcasting.

    Broadcasting aligns axes from the end, so all inputs must have time at the same distance from it.
    """
    from_end = {label.axis - node.rank(index): label for index, label in node.per_event_inputs.items()}
    if len({(axis, label.inner) for axis, label in from_end.items()}) > 1:
        raise node.refusal("combines different events")
    (axis,) = from_end
    for index, label in enumerate(node.labels):
        if isinstance(label, Constant) and any(
            len(shape) >= -axis and shape[axis] != 1 for shape in node.shapes(index)
        ):
            raise node.refusal("combines events with a constant for each event")
    return PerEvent(node.statics, len(node.output_shapes()[0]) + axis, from_end[axis].inner)


def einsum(node: NodeContext) -> TimeDependence:
    """Labels Einsum. Time must have the same letter in each term with events, and in the result."""
    before, _, after = node.attribute("equation").decode().replace(" ", "").partition("->")
    terms = before.split(",")
    letters = {(terms[index][label.axis], label.inner) for index, label in node.per_event_inputs.items()}
    ((letter, inner), *others) = letters
    with_letter = [index for index, term in enumerate(terms) if letter in term]
    # An ellipsis stands for axes without letters, which cannot be followed here.
    if "." in before or others or with_letter != list(node.per_event_inputs) or letter not in after:
        raise node.refusal("combines different events")
    return PerEvent(node.statics, after.index(letter), inner)


def matmul(node: NodeContext) -> TimeDependence:
    """Labels MatMul. Time may be any axis except the one that is summed over."""
    if len(node.per_event_inputs) == 2:
        return _batched_matmul(node, node.per_event_inputs[0], node.per_event_inputs[1])
    ((index, label),) = node.per_event_inputs.items()
    summed = -1 if index == 0 or node.rank(1) == 1 else -2
    axis = label.axis - node.rank(index)
    if axis == summed:
        raise node.refusal("sums over events")
    # If the other operand is a vector, the product loses the axis that is summed over, and later axes move up.
    axis += node.rank(1 - index) == 1 and axis < summed
    return PerEvent(node.statics, len(node.output_shapes()[0]) + axis, label.inner)


def _batched_matmul(node: NodeContext, left: PerEvent, right: PerEvent) -> TimeDependence:
    """Labels a product of two operands with events. Time must be a batch axis of both, at the same position."""
    positions = {left.axis - node.rank(0), right.axis - node.rank(1)}
    if len(positions) > 1 or max(positions) > -3 or left.inner != right.inner:
        raise node.refusal("combines different events")
    return PerEvent(node.statics, len(node.output_shapes()[0]) + positions.pop(), left.inner)


def gemm(node: NodeContext) -> TimeDependence:
    """Labels Gemm. It must multiply a matrix whose rows are events by a constant one."""
    label = node.per_event_inputs.get(0)
    if (
        label is None
        or len(node.per_event_inputs) > 1
        or not all(isinstance(other, Constant) for other in node.labels[1:])
    ):
        raise node.refusal("combines different events")
    # With transA, the rows of the matrix are its second axis.
    if label.axis != (1 if node.attribute("transA", 0) else 0):
        raise node.refusal("sums over events")
    return replace(label, statics=node.statics, axis=0)


def reduce(node: NodeContext) -> TimeDependence:
    """Labels ReduceSum and similar operators. They must reduce other axes than time."""
    label = first_input(node)
    axes = node.integers(1, "axes")
    # Without axes, these operators reduce all of them, time included.
    if not axes:
        raise node.refusal(ALONG_EVENTS)
    return _reduce_axes(node, label, {axis % node.rank(0) for axis in axes})


def arg_extreme(node: NodeContext) -> TimeDependence:
    """Labels ArgMax and ArgMin. They must run along another axis than time."""
    return _reduce_axes(node, first_input(node), {positive_axis(node, node.attribute("axis", 0))})


def _reduce_axes(node: NodeContext, label: PerEvent, axes: set[int]) -> TimeDependence:
    if label.axis in axes:
        raise node.refusal(ALONG_EVENTS)
    # Without keepdims, each axis that is removed in front of the event axis moves it forward.
    lost = 0 if node.attribute("keepdims", 1) else sum(axis < label.axis for axis in axes)
    return with_axis(label, label.axis - lost)


def along_axis(node: NodeContext) -> TimeDependence:
    """Labels CumSum, TopK and similar operators. They must run along another axis than time."""
    axis = node.integers(1, "axis") if node.operator == "CumSum" else [node.attribute("axis", -1)]
    label = first_input(node)
    if axis is None or positive_axis(node, axis[0]) == label.axis:
        raise node.refusal(ALONG_EVENTS)
    return replace(label, statics=node.statics)


def softmax(node: NodeContext) -> TimeDependence:
    """Labels Softmax, which runs along one axis. Before opset 13, it also ran along all axes after that one."""
    return along_axis(node) if node.opset >= 13 else normalize(node, 1)


def normalize(node: NodeContext, default: int = -1) -> TimeDependence:
    """Labels layer normalisation, which runs along an axis and all axes after it, with constant scale and bias."""
    label = first_input(node)
    if label.axis >= positive_axis(node, node.attribute("axis", default)) or len(node.per_event_inputs) > 1:
        raise node.refusal(ALONG_EVENTS)
    return replace(label, statics=node.statics)


def batch_normalize(node: NodeContext) -> TimeDependence:
    """Labels batch normalisation in inference mode, which uses constants for each channel (axis 1)."""
    label = first_input(node)
    # In training mode the mean runs over the batch and over time. Axis 1 has a mean of its own at each index.
    if node.attribute("training_mode", 0) or label.axis == 1 or len(node.per_event_inputs) > 1:
        raise node.refusal(ALONG_EVENTS)
    return replace(label, statics=node.statics)


def per_row(node: NodeContext) -> TimeDependence:
    """Labels operators that treat each index of the first axis separately. Time must be that axis."""
    label = first_input(node)
    if label.axis != 0 or len(node.per_event_inputs) > 1:
        raise node.refusal("mixes events")
    return replace(label, statics=node.statics)


def convolve(node: NodeContext) -> TimeDependence:
    """Labels Conv. It must run along other axes than time, or have a kernel that is one event wide."""
    label = first_input(node)
    if label.axis < 2:
        return per_row(node)
    # Attributes are listed for the spatial axes only, those behind (batch, channels).
    index, spatial = label.axis - 2, node.rank(0) - 2
    pads = node.attribute("pads", [0] * 2 * spatial)
    width = node.shapes(1)[0][label.axis]
    stride = node.attribute("strides", [1] * spatial)[index]
    if (width, stride, pads[index], pads[index + spatial]) != (1, 1, 0, 0) or len(node.per_event_inputs) > 1:
        raise node.refusal("mixes events")
    return replace(label, statics=node.statics)


def recurrent(node: NodeContext) -> TimeDependence:
    """Labels RNN, GRU and LSTM. They must run forward along axis 0, with constant weights and initial states."""
    if (direction := node.attribute("direction", b"forward")) != b"forward":
        raise node.refusal("runs backward" if direction == b"reverse" else "runs in both directions")
    label = node.per_event_inputs.get(0)
    if label is None or len(node.per_event_inputs) > 1 or label.axis != 0:
        raise node.refusal("does not run along the event axis")
    if not holds_only_events(label, node.observed, node.shapes(0)):
        raise node.refusal("does not run along the event axis")
    if node.has(SEQUENCE_LENGTHS):
        # Exporters write the number of events itself for sequences without padding, which changes nothing.
        excess = node.affine(SEQUENCE_LENGTHS) - sequence_length(node.observed.max_events)
        if not excess.is_always_zero():
            raise node.refusal("takes the number of real events as an input")
    # Weights and initial states are stored once for all rows, so they must not depend on a static input.
    if not all(isinstance(other, Constant) and not other.statics for other in _constants(node)):
        raise node.refusal("has weights or initial states that are not constant")
    return label


def _constants(node: NodeContext) -> list[TimeDependence]:
    """Returns the labels of weights, biases and initial states: all inputs but the events and their number."""
    return [
        label
        for index, label in enumerate(node.labels)
        if label is not None and index not in (0, SEQUENCE_LENGTHS)
    ]


ELEMENTWISE = (
    *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where", "PRelu", "Clip"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not"),
    *("Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Erf"),
    *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
    *("IsNaN", "IsInf", "QuantizeLinear", "DequantizeLinear", "Identity", "Cast", "CastLike", "Dropout"),
    *("Relu", "LeakyRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Gelu", "Sigmoid", "HardSigmoid"),
    *("Tanh", "Softplus", "Softsign", "HardSwish", "Mish", "Swish"),
)
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, elementwise),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    **dict.fromkeys(
        ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"), reduce
    ),
    **dict.fromkeys(("ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"), reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), arg_extreme),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), softmax),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), normalize),
    **dict.fromkeys(("CumSum", "LpNormalization", "TopK"), along_axis),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), recurrent),
    **dict.fromkeys(("ConvTranspose", "MaxPool", "AveragePool", "LpPool"), per_row),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool", "InstanceNormalization"), per_row),
    "Transpose": transpose,
    "Einsum": einsum,
    "Expand": expand,
    "MatMul": matmul,
    "Gemm": gemm,
    "Concat": concat,
    "Conv": convolve,
    "Gather": gather,
    "Slice": slice_axes,
    "BatchNormalization": batch_normalize,
    "Split": split,
    "OneHot": one_hot,
    "Pad": pad,
}
