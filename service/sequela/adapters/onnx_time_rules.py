"""Operators that reckon with what events have of their own: what comes out of each, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from sequela.adapters.onnx_observed import LENGTHS
from sequela.adapters.onnx_time import Label, Step, Still, Timed, axis_of, first, is_plain, moved
from sequela.adapters.onnx_time_moves import (
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

Rule: TypeAlias = Callable[[Step], Label]


def one_by_one(step: Step) -> Label:
    """Every number out of one number of each input, with broadcasting: time is the same axis from the end."""
    places = {label.axis - step.rank(place): label for place, label in step.timed.items()}
    if len({(place, label.inner) for place, label in places.items()}) > 1:
        raise step.refused("brings different events together")
    (place,) = places
    for other, label in enumerate(step.labels):
        if isinstance(label, Still) and any(
            len(shape) >= -place and shape[place] != 1 for shape in step.shapes(other)
        ):
            raise step.refused("takes a constant for each event")
    return Timed(step.statics, len(step.outputs()[0]) + place, places[place].inner)


def einsum(step: Step) -> Label:
    """Time has one letter wherever it stands, and keeps it."""
    before, _, after = step.attribute("equation").decode().replace(" ", "").partition("->")
    terms = before.split(",")
    letters = {(terms[place][label.axis], label.inner) for place, label in step.timed.items()}
    ((letter, inner), *others) = letters
    held = [place for place, term in enumerate(terms) if letter in term]
    if "." in before or others or held != list(step.timed) or letter not in after:
        raise step.refused("brings different events together")
    return Timed(step.statics, after.index(letter), inner)


def matmul(step: Step) -> Label:
    """Time may lie along any axis but the one summed over."""
    if len(step.timed) == 2:
        return _both(step, step.timed[0], step.timed[1])
    ((place, label),) = step.timed.items()
    summed = -1 if place == 0 or step.rank(1) == 1 else -2
    axis = label.axis - step.rank(place)
    if axis == summed:
        raise step.refused("sums over events")
    # A vector as the other operand takes its axis with it: the last but one, or the last.
    axis += step.rank(1 - place) == 1 and axis < summed
    return Timed(step.statics, len(step.outputs()[0]) + axis, label.inner)


def _both(step: Step, left: Timed, right: Timed) -> Label:
    """A product for each event, where both have time among the axes in front."""
    places = {left.axis - step.rank(0), right.axis - step.rank(1)}
    if len(places) > 1 or max(places) > -3 or left.inner != right.inner:
        raise step.refused("brings different events together")
    return Timed(step.statics, len(step.outputs()[0]) + places.pop(), left.inner)


def gemm(step: Step) -> Label:
    """A matrix whose rows are events."""
    label = step.timed.get(0)
    if label is None or len(step.timed) > 1 or not all(isinstance(other, Still) for other in step.labels[1:]):
        raise step.refused("brings different events together")
    if label.axis != (1 if step.attribute("transA", 0) else 0):
        raise step.refused("sums over events")
    return replace(label, statics=step.statics, axis=0)


def reduce(step: Step) -> Label:
    """Over axes that are not time."""
    label = first(step)
    axes = step.integers(1, "axes")
    if not axes:
        raise step.refused("runs over events")
    return _without(step, label, {axis % step.rank(0) for axis in axes})


def arg(step: Step) -> Label:
    """The place of an extreme along an axis that is not time."""
    return _without(step, first(step), {axis_of(step, step.attribute("axis", 0))})


def _without(step: Step, label: Timed, axes: set[int]) -> Label:
    if label.axis in axes:
        raise step.refused("runs over events")
    lost = 0 if step.attribute("keepdims", 1) else sum(axis < label.axis for axis in axes)
    return moved(label, label.axis - lost)


def along(step: Step) -> Label:
    """Along one axis that is not time."""
    axis = step.integers(1, "axis") if step.operator == "CumSum" else [step.attribute("axis", -1)]
    label = first(step)
    if axis is None or axis_of(step, axis[0]) == label.axis:
        raise step.refused("runs over events")
    return replace(label, statics=step.statics)


def softmax(step: Step) -> Label:
    """Along one axis; before opset 13 along it and all behind it."""
    return along(step) if step.opset >= 13 else normalize(step, 1)


def normalize(step: Step, default: int = -1) -> Label:
    """Along an axis and all behind it; scale and bias are constants."""
    label = first(step)
    if label.axis >= axis_of(step, step.attribute("axis", default)) or len(step.timed) > 1:
        raise step.refused("runs over events")
    return replace(label, statics=step.statics)


def batch_normalize(step: Step) -> Label:
    """With the means and variances of training, for each channel."""
    label = first(step)
    if step.attribute("training_mode", 0) or label.axis == 1 or len(step.timed) > 1:
        raise step.refused("runs over events")
    return replace(label, statics=step.statics)


def row_by_row(step: Step) -> Label:
    """Each row of the first axis by itself, however its other axes are mixed."""
    label = first(step)
    if label.axis != 0 or len(step.timed) > 1:
        raise step.refused("mixes events")
    return replace(label, statics=step.statics)


def convolve(step: Step) -> Label:
    """Each row of the first axis by itself, or by a kernel that is one event wide."""
    label = first(step)
    if label.axis < 2:
        return row_by_row(step)
    place, spatial = label.axis - 2, step.rank(0) - 2
    pads = step.attribute("pads", [0] * 2 * spatial)
    width = step.shapes(1)[0][label.axis]
    stride = step.attribute("strides", [1] * spatial)[place]
    if (width, stride, pads[place], pads[place + spatial]) != (1, 1, 0, 0) or len(step.timed) > 1:
        raise step.refused("mixes events")
    return replace(label, statics=step.statics)


def recur(step: Step) -> Label:
    """A recurrent node that runs forward over the events, from the states that it is given."""
    if (direction := step.attribute("direction", b"forward")) != b"forward":
        raise step.refused("runs backward" if direction == b"reverse" else "runs in both directions")
    label = step.timed.get(0)
    if label is None or len(step.timed) > 1 or label.axis != 0 or not is_plain(label, step.shapes(0)):
        raise step.refused("does not run over the events")
    if step.has(4) and not all(
        (array == length).all() for array, length in zip(step.arrays(4), LENGTHS, strict=True)
    ):
        raise step.refused("is told how many events are real")
    if not all(isinstance(other, Still) and not other.statics for other in _constants(step)):
        raise step.refused("has weights or initial states that are not constant")
    return label


def _constants(step: Step) -> list[Label]:
    """The labels of all inputs but the events and their number."""
    return [label for place, label in enumerate(step.labels) if label is not None and place not in (0, 4)]


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
