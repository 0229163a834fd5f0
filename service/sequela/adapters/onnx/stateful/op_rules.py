"""Operators that reckon with what events have of their own: what comes out of each, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

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
from sequela.adapters.onnx.stateful.time_dependence import (
    Constant,
    NodeContext,
    PerEvent,
    TimeDependence,
    first_input,
    holds_only_events,
    positive_axis,
    with_axis,
)

Rule: TypeAlias = Callable[[NodeContext], TimeDependence]


def elementwise(node: NodeContext) -> TimeDependence:
    """Every number out of one number of each input, with broadcasting: time is the same axis from the end."""
    places = {label.axis - node.rank(place): label for place, label in node.per_event_inputs.items()}
    if len({(place, label.inner) for place, label in places.items()}) > 1:
        raise node.refusal("brings different events together")
    (place,) = places
    for other, label in enumerate(node.labels):
        if isinstance(label, Constant) and any(
            len(shape) >= -place and shape[place] != 1 for shape in node.shapes(other)
        ):
            raise node.refusal("takes a constant for each event")
    return PerEvent(node.statics, len(node.outputs()[0]) + place, places[place].inner)


def einsum(node: NodeContext) -> TimeDependence:
    """Time has one letter wherever it stands, and keeps it."""
    before, _, after = node.attribute("equation").decode().replace(" ", "").partition("->")
    terms = before.split(",")
    letters = {(terms[place][label.axis], label.inner) for place, label in node.per_event_inputs.items()}
    ((letter, inner), *others) = letters
    held = [place for place, term in enumerate(terms) if letter in term]
    if "." in before or others or held != list(node.per_event_inputs) or letter not in after:
        raise node.refusal("brings different events together")
    return PerEvent(node.statics, after.index(letter), inner)


def matmul(node: NodeContext) -> TimeDependence:
    """Time may lie along any axis but the one summed over."""
    if len(node.per_event_inputs) == 2:
        return _batched_matmul(node, node.per_event_inputs[0], node.per_event_inputs[1])
    ((place, label),) = node.per_event_inputs.items()
    summed = -1 if place == 0 or node.rank(1) == 1 else -2
    axis = label.axis - node.rank(place)
    if axis == summed:
        raise node.refusal("sums over events")
    # A vector as the other operand takes its axis with it: the last but one, or the last.
    axis += node.rank(1 - place) == 1 and axis < summed
    return PerEvent(node.statics, len(node.outputs()[0]) + axis, label.inner)


def _batched_matmul(node: NodeContext, left: PerEvent, right: PerEvent) -> TimeDependence:
    """A product for each event, where both have time among the axes in front."""
    places = {left.axis - node.rank(0), right.axis - node.rank(1)}
    if len(places) > 1 or max(places) > -3 or left.inner != right.inner:
        raise node.refusal("brings different events together")
    return PerEvent(node.statics, len(node.outputs()[0]) + places.pop(), left.inner)


def gemm(node: NodeContext) -> TimeDependence:
    """A matrix whose rows are events."""
    label = node.per_event_inputs.get(0)
    if (
        label is None
        or len(node.per_event_inputs) > 1
        or not all(isinstance(other, Constant) for other in node.labels[1:])
    ):
        raise node.refusal("brings different events together")
    if label.axis != (1 if node.attribute("transA", 0) else 0):
        raise node.refusal("sums over events")
    return replace(label, statics=node.statics, axis=0)


def reduce(node: NodeContext) -> TimeDependence:
    """Over axes that are not time."""
    label = first_input(node)
    axes = node.integers(1, "axes")
    if not axes:
        raise node.refusal("runs over events")
    return _reduced(node, label, {axis % node.rank(0) for axis in axes})


def arg_extreme(node: NodeContext) -> TimeDependence:
    """The place of an extreme along an axis that is not time."""
    return _reduced(node, first_input(node), {positive_axis(node, node.attribute("axis", 0))})


def _reduced(node: NodeContext, label: PerEvent, axes: set[int]) -> TimeDependence:
    if label.axis in axes:
        raise node.refusal("runs over events")
    lost = 0 if node.attribute("keepdims", 1) else sum(axis < label.axis for axis in axes)
    return with_axis(label, label.axis - lost)


def along_axis(node: NodeContext) -> TimeDependence:
    """Along one axis that is not time."""
    axis = node.integers(1, "axis") if node.operator == "CumSum" else [node.attribute("axis", -1)]
    label = first_input(node)
    if axis is None or positive_axis(node, axis[0]) == label.axis:
        raise node.refusal("runs over events")
    return replace(label, statics=node.statics)


def softmax(node: NodeContext) -> TimeDependence:
    """Along one axis; before opset 13 along it and all behind it."""
    return along_axis(node) if node.opset >= 13 else normalize(node, 1)


def normalize(node: NodeContext, default: int = -1) -> TimeDependence:
    """Along an axis and all behind it; scale and bias are constants."""
    label = first_input(node)
    if label.axis >= positive_axis(node, node.attribute("axis", default)) or len(node.per_event_inputs) > 1:
        raise node.refusal("runs over events")
    return replace(label, statics=node.statics)


def batch_normalize(node: NodeContext) -> TimeDependence:
    """With the means and variances of training, for each channel."""
    label = first_input(node)
    if node.attribute("training_mode", 0) or label.axis == 1 or len(node.per_event_inputs) > 1:
        raise node.refusal("runs over events")
    return replace(label, statics=node.statics)


def per_row(node: NodeContext) -> TimeDependence:
    """Each row of the first axis by itself, however its other axes are mixed."""
    label = first_input(node)
    if label.axis != 0 or len(node.per_event_inputs) > 1:
        raise node.refusal("mixes events")
    return replace(label, statics=node.statics)


def convolve(node: NodeContext) -> TimeDependence:
    """Each row of the first axis by itself, or by a kernel that is one event wide."""
    label = first_input(node)
    if label.axis < 2:
        return per_row(node)
    place, spatial = label.axis - 2, node.rank(0) - 2
    pads = node.attribute("pads", [0] * 2 * spatial)
    width = node.shapes(1)[0][label.axis]
    stride = node.attribute("strides", [1] * spatial)[place]
    if (width, stride, pads[place], pads[place + spatial]) != (1, 1, 0, 0) or len(node.per_event_inputs) > 1:
        raise node.refusal("mixes events")
    return replace(label, statics=node.statics)


def recurrent(node: NodeContext) -> TimeDependence:
    """A recurrent node that runs forward over the events, from the states that it is given."""
    if (direction := node.attribute("direction", b"forward")) != b"forward":
        raise node.refusal("runs backward" if direction == b"reverse" else "runs in both directions")
    label = node.per_event_inputs.get(0)
    if label is None or len(node.per_event_inputs) > 1 or label.axis != 0:
        raise node.refusal("does not run over the events")
    if not holds_only_events(label, node.observed, node.shapes(0)):
        raise node.refusal("does not run over the events")
    if node.has(4) and not (node.affine(4) - sequence_length(node.observed.max_events)).is_always_zero():
        raise node.refusal("is told how many events are real")
    if not all(isinstance(other, Constant) and not other.statics for other in _constants(node)):
        raise node.refusal("has weights or initial states that are not constant")
    return label


def _constants(node: NodeContext) -> list[TimeDependence]:
    """The labels of all inputs but the events and their number."""
    return [label for place, label in enumerate(node.labels) if label is not None and place not in (0, 4)]


ELEMENTWISE = (
    *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where", "PRelu", "Clip"),
    *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not"),
    *("Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Erf"),
    *(
        "Sin",
        "Cos",
        "Tan",
        "Asin",
        "Acos",
        "Atan",
        "Sinh",
        "Cosh",
        "Asinh",
        "Acosh",
        "Atanh",
        "IsNaN",
        "IsInf",
    ),
    *(
        "QuantizeLinear",
        "DequantizeLinear",
        "Relu",
        "LeakyRelu",
        "ThresholdedRelu",
        "Elu",
        "Selu",
        "Celu",
        "Gelu",
        "Sigmoid",
        "HardSigmoid",
    ),
    *(
        "Tanh",
        "Softplus",
        "Softsign",
        "HardSwish",
        "Mish",
        "Swish",
        "Identity",
        "Cast",
        "CastLike",
        "Dropout",
    ),
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
