"""Pieces of small sequence models: inputs, outputs and a recurrent layer with seeded weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from small_onnx import FLOAT, Shape, model, value

WIDTH, UNITS = 3, 4
EVENTS: Shape = ("n", "l", WIDTH)


def weights(*shape: int, seed: int = 7, scale: float = 0.6) -> NDArray[np.float32]:
    """Seeded weights."""
    return (np.random.default_rng([seed, *shape]).normal(size=shape) * scale).astype(np.float32)


def constant(name: str, values: Any, dtype: Any = np.float32) -> TensorProto:
    """A constant of a graph."""
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str] | str, **attributes: Any) -> NodeProto:
    """One node; a single output may be a plain name."""
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    return helper.make_node(operator, list(inputs), names, **attributes)


def pooled(source: str, score: str = "score") -> tuple[list[NodeProto], list[TensorProto]]:
    """A score (n, 1) in [0, 1] that mixes all events: sigmoid(w₂ · mean over events of tanh(w₁ · event))."""
    nodes = [
        node("MatMul", [source, "w1"], "pooled.hidden"),
        node("Tanh", ["pooled.hidden"], "pooled.bent"),
        node("ReduceMean", ["pooled.bent"], "pooled.mean", axes=[1], keepdims=0),
        node("MatMul", ["pooled.mean", "w2"], "pooled.logit"),
        node("Sigmoid", ["pooled.logit"], score),
    ]
    return nodes, [constant("w1", weights(WIDTH, UNITS)), constant("w2", weights(UNITS, 1, scale=1.5))]


def gru(source: str, states: str = "states", last: str = "last") -> tuple[list[NodeProto], list[TensorProto]]:
    """A GRU over `source` (n, l, 3): its states (l, 1, n, 4) and the last one (1, n, 4)."""
    nodes = [
        node("Transpose", [source], "gru.time_first", perm=[1, 0, 2]),
        node(
            "GRU",
            ["gru.time_first", "gru.w", "gru.r"],
            [states, last],
            hidden_size=UNITS,
            linear_before_reset=1,
        ),
    ]
    stored = [
        constant("gru.w", weights(1, 3 * UNITS, WIDTH)),
        constant("gru.r", weights(1, 3 * UNITS, UNITS)),
    ]
    return nodes, stored


def head(source: str, score: str = "score") -> tuple[list[NodeProto], list[TensorProto]]:
    """A score (n, 1) in [0, 1] of a last state (1, n, 4)."""
    nodes = [
        node("Squeeze", [source, "head.axis"], "head.state"),
        node("MatMul", ["head.state", "head.w"], "head.logit"),
        node("Sigmoid", ["head.logit"], score),
    ]
    return nodes, [constant("head.axis", [0], np.int64), constant("head.w", weights(UNITS, 1, scale=1.5))]


def built(
    nodes: Sequence[NodeProto],
    constants: Sequence[TensorProto],
    inputs: Sequence[ValueInfoProto] | None = None,
    outputs: Sequence[ValueInfoProto] | None = None,
    **more: Any,
) -> bytes:
    """A model from `x` (n, l, 3) to `score` (n, 1), unless told otherwise."""
    return model(
        nodes,
        inputs or [value("x", FLOAT, EVENTS)],
        outputs or [value("score", FLOAT, ["n", 1])],
        constants,
        **more,
    )


def quantised_layers(entry: str, last_scale: float) -> tuple[list[NodeProto], list[TensorProto]]:
    """Returns two layers and a sigmoid on a value (n, l, 3). The first has int8 weights, and quantises its activations
    with a scale that it computes in each call.
    """
    nodes = [
        node("DynamicQuantizeLinear", [entry], ["x.int8", "x.scale", "x.zero"]),
        node("MatMulInteger", ["x.int8", "w1.int8", "x.zero"], "hidden.int"),
        node("Cast", ["hidden.int"], "hidden.float", to=FLOAT),
        node("Mul", ["hidden.float", "x.scale"], "hidden.scaled"),
        node("Mul", ["hidden.scaled", "w1.scale"], "hidden"),
        node("Tanh", ["hidden"], "bent"),
        node("ReduceMean", ["bent"], "mean", axes=[1], keepdims=0),
        node("MatMul", ["mean", "w2"], "logit"),
        node("Sigmoid", ["logit"], "score"),
    ]
    scale = 0.02
    rounded = np.clip(np.round(weights(WIDTH, UNITS) / scale), -127, 127)
    stored = [
        constant("w1.int8", rounded, np.int8),
        constant("w1.scale", scale),
        constant("w2", weights(UNITS, 1, scale=last_scale)),
    ]
    return nodes, stored
