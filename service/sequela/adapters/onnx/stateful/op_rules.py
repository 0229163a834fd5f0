"""Operators that reckon with what events have of their own: what comes out of each, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from sequela.adapters.onnx.stateful.affine import events
from sequela.adapters.onnx.stateful.labels import Label, Node, Still, Timed, axis_of, first, is_plain, moved
from sequela.adapters.onnx.stateful.layout_rules import (
    concat,
    cut,
    expand,
    gather,
    one_hot,
    pad,
    reshape,
    split,
    transpose,
)

Rule: TypeAlias = Callable[[Node], Label]


def one_by_one(node: Node) -> Label:
    """Every number out of one number of each input, with broadcasting: time is the same axis from the end."""
    places = {label.axis - node.rank(place): label for place, label in node.timed.items()}
    if len({(place, label.inner) for place, label in places.items()}) > 1:
        raise node.refused("brings different events together")
    (place,) = places
    for other, label in enumerate(node.labels):
        if isinstance(label, Still) and any(
            len(shape) >= -place and shape[place] != 1 for shape in node.shapes(other)
        ):
            raise node.refused("takes a constant for each event")
    return Timed(node.statics, len(node.outputs()[0]) + place, places[place].inner)


def einsum(node: Node) -> Label:
    """Time has one letter wherever it stands, and keeps it."""
    before, _, after = node.attribute("equation").decode().replace(" ", "").partition("->")
    terms = before.split(",")
    letters = {(terms[place][label.axis], label.inner) for place, label in node.timed.items()}
    ((letter, inner), *others) = letters
    held = [place for place, term in enumerate(terms) if letter in term]
    if "." in before or others or held != list(node.timed) or letter not in after:
        raise node.refused("brings different events together")
    return Timed(node.statics, after.index(letter), inner)


def matmul(node: Node) -> Label:
    """Time may lie along any axis but the one summed over."""
    if len(node.timed) == 2:
        return _both(node, node.timed[0], node.timed[1])
    ((place, label),) = node.timed.items()
    summed = -1 if place == 0 or node.rank(1) == 1 else -2
    axis = label.axis - node.rank(place)
    if axis == summed:
        raise node.refused("sums over events")
    # A vector as the other operand takes its axis with it: the last but one, or the last.
    axis += node.rank(1 - place) == 1 and axis < summed
    return Timed(node.statics, len(node.outputs()[0]) + axis, label.inner)


def _both(node: Node, left: Timed, right: Timed) -> Label:
    """A product for each event, where both have time among the axes in front."""
    places = {left.axis - node.rank(0), right.axis - node.rank(1)}
    if len(places) > 1 or max(places) > -3 or left.inner != right.inner:
        raise node.refused("brings different events together")
    return Timed(node.statics, len(node.outputs()[0]) + places.pop(), left.inner)


def gemm(node: Node) -> Label:
    """A matrix whose rows are events."""
    label = node.timed.get(0)
    if label is None or len(node.timed) > 1 or not all(isinstance(other, Still) for other in node.labels[1:]):
        raise node.refused("brings different events together")
    if label.axis != (1 if node.attribute("transA", 0) else 0):
        raise node.refused("sums over events")
    return replace(label, statics=node.statics, axis=0)


def reduce(node: Node) -> Label:
    """Over axes that are not time."""
    label = first(node)
    axes = node.integers(1, "axes")
    if not axes:
        raise node.refused("runs over events")
    return _without(node, label, {axis % node.rank(0) for axis in axes})


def arg(node: Node) -> Label:
    """The place of an extreme along an axis that is not time."""
    return _without(node, first(node), {axis_of(node, node.attribute("axis", 0))})


def _without(node: Node, label: Timed, axes: set[int]) -> Label:
    if label.axis in axes:
        raise node.refused("runs over events")
    lost = 0 if node.attribute("keepdims", 1) else sum(axis < label.axis for axis in axes)
    return moved(label, label.axis - lost)


def along(node: Node) -> Label:
    """Along one axis that is not time."""
    axis = node.integers(1, "axis") if node.operator == "CumSum" else [node.attribute("axis", -1)]
    label = first(node)
    if axis is None or axis_of(node, axis[0]) == label.axis:
        raise node.refused("runs over events")
    return replace(label, statics=node.statics)


def softmax(node: Node) -> Label:
    """Along one axis; before opset 13 along it and all behind it."""
    return along(node) if node.opset >= 13 else normalize(node, 1)


def normalize(node: Node, default: int = -1) -> Label:
    """Along an axis and all behind it; scale and bias are constants."""
    label = first(node)
    if label.axis >= axis_of(node, node.attribute("axis", default)) or len(node.timed) > 1:
        raise node.refused("runs over events")
    return replace(label, statics=node.statics)


def batch_normalize(node: Node) -> Label:
    """With the means and variances of training, for each channel."""
    label = first(node)
    if node.attribute("training_mode", 0) or label.axis == 1 or len(node.timed) > 1:
        raise node.refused("runs over events")
    return replace(label, statics=node.statics)


def row_by_row(node: Node) -> Label:
    """Each row of the first axis by itself, however its other axes are mixed."""
    label = first(node)
    if label.axis != 0 or len(node.timed) > 1:
        raise node.refused("mixes events")
    return replace(label, statics=node.statics)


def convolve(node: Node) -> Label:
    """Each row of the first axis by itself, or by a kernel that is one event wide."""
    label = first(node)
    if label.axis < 2:
        return row_by_row(node)
    place, spatial = label.axis - 2, node.rank(0) - 2
    pads = node.attribute("pads", [0] * 2 * spatial)
    width = node.shapes(1)[0][label.axis]
    stride = node.attribute("strides", [1] * spatial)[place]
    if (width, stride, pads[place], pads[place + spatial]) != (1, 1, 0, 0) or len(node.timed) > 1:
        raise node.refused("mixes events")
    return replace(label, statics=node.statics)


def recur(node: Node) -> Label:
    """A recurrent node that runs forward over the events, from the states that it is given."""
    if (direction := node.attribute("direction", b"forward")) != b"forward":
        raise node.refused("runs backward" if direction == b"reverse" else "runs in both directions")
    label = node.timed.get(0)
    if label is None or len(node.timed) > 1 or label.axis != 0:
        raise node.refused("does not run over the events")
    if not is_plain(label, node.observed, node.shapes(0)):
        raise node.refused("does not run over the events")
    if node.has(4) and not (node.lines(4) - events(node.observed.most)).always_zero():
        raise node.refused("is told how many events are real")
    if not all(isinstance(other, Still) and not other.statics for other in _constants(node)):
        raise node.refused("has weights or initial states that are not constant")
    return label


def _constants(node: Node) -> list[Label]:
    """The labels of all inputs but the events and their number."""
    return [label for place, label in enumerate(node.labels) if label is not None and place not in (0, 4)]


ONE_BY_ONE = (
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
    **dict.fromkeys(ONE_BY_ONE, one_by_one),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    **dict.fromkeys(
        ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2"), reduce
    ),
    **dict.fromkeys(("ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"), reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), arg),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), softmax),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), normalize),
    **dict.fromkeys(("CumSum", "LpNormalization", "TopK"), along),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), recur),
    **dict.fromkeys(("ConvTranspose", "MaxPool", "AveragePool", "LpPool"), row_by_row),
    **dict.fromkeys(("GlobalMaxPool", "GlobalAveragePool", "InstanceNormalization"), row_by_row),
    "Transpose": transpose,
    "Einsum": einsum,
    "Expand": expand,
    "MatMul": matmul,
    "Gemm": gemm,
    "Concat": concat,
    "Conv": convolve,
    "Gather": gather,
    "Slice": cut,
    "BatchNormalization": batch_normalize,
    "Split": split,
    "OneHot": one_hot,
    "Pad": pad,
}
