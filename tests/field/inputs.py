"""Models with inputs that are easy to handle wrongly: ids, positions, masks that the model computes, names, missing
shapes.
"""

from __future__ import annotations

import numpy as np
from field.parts import EVENTS, UNITS, WIDTH, built, constant, node, pooled, weights
from onnx import helper
from small_onnx import BOOL, FLOAT, INT64, value

VOCABULARY, POSITIONS = 10, 16


def ids() -> bytes:
    """Ids (n, l) that are looked up in a table of ten. -1 counts from the end of the table, as in ONNX but not in
    torch.
    """
    nodes, stored = pooled("embedded")
    return built(
        [node("Gather", ["table", "ids"], "embedded"), *nodes],
        [*stored, constant("table", weights(VOCABULARY, WIDTH, scale=1.0))],
        inputs=[value("ids", INT64, ["n", "l"])],
    )


def positions() -> bytes:
    """A table of sixteen positions, too few for a longer sequence. huggingface/transformers (512 tokens)."""
    nodes, stored = pooled("placed")
    first = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "one"], "length"),
        node("Range", ["zero", "length", "one"], "place"),
        node("Gather", ["table", "place"], "position"),
        node("Add", ["x", "position"], "placed"),
    ]
    more = [
        constant("one", 1, np.int64),
        constant("zero", 0, np.int64),
        constant("table", weights(POSITIONS, WIDTH)),
    ]
    return built([*first, *nodes], [*stored, *more])


def masked_inside() -> bytes:
    """Keras' Masking(0), which skips events of all zeros, so that nothing is left of a background of zeros."""
    nodes = [
        node("Abs", ["x"], "size"),
        node("ReduceMax", ["size"], "largest", axes=[2], keepdims=1),
        node("Greater", ["largest", "nothing"], "real"),
        node("Cast", ["real"], "column", to=FLOAT),
        node("MatMul", ["x", "w1"], "hidden"),
        node("Tanh", ["hidden"], "bent"),
        node("Mul", ["bent", "column"], "masked"),
        node("ReduceSum", ["masked", "time"], "sum", keepdims=0),
        node("ReduceSum", ["column", "time"], "count", keepdims=0),
        node("Div", ["sum", "count"], "mean"),
        node("MatMul", ["mean", "w2"], "logit"),
        node("Sigmoid", ["logit"], "score"),
    ]
    stored = [
        constant("nothing", 0.0),
        constant("time", [1], np.int64),
        constant("w1", weights(WIDTH, UNITS)),
        constant("w2", weights(UNITS, 1, scale=1.5)),
    ]
    return built(nodes, stored)


def named(source: str = "serving_default_lstm_input:0", score: str = "StatefulPartitionedCall:0") -> bytes:
    """Names as TensorFlow writes them."""
    nodes, stored = pooled(source, score)
    return built(
        nodes, stored, inputs=[value(source, FLOAT, EVENTS)], outputs=[value(score, FLOAT, ["n", 1])]
    )


def without_shape() -> bytes:
    """An input for which only the type is declared."""
    nodes, stored = pooled("x")
    return built(nodes, stored, inputs=[value("x", FLOAT, None)])


def free_columns() -> bytes:
    """An input with dynamic_axes for all three axes."""
    nodes, stored = pooled("x")
    return built(nodes, stored, inputs=[value("x", FLOAT, ["n", "l", "d"])])


def decided(kind: int = BOOL) -> bytes:
    """A decision, p > 0.4, as the only output."""
    nodes, stored = pooled("x", "p")
    more = [node("Greater", ["p", "limit"], "over"), node("Cast", ["over"], "score", to=kind)]
    return built([*nodes, *more], [*stored, constant("limit", 0.4)], outputs=[value("score", kind, ["n", 1])])


def arg_max() -> bytes:
    """The class with the highest score, as the only output."""
    nodes, stored = pooled("x", "p")
    more = [
        node("Sub", ["one", "p"], "q"),
        node("Concat", ["p", "q"], "both", axis=1),
        node("ArgMax", ["both"], "score", axis=1, keepdims=0),
    ]
    return built([*nodes, *more], [*stored, constant("one", 1.0)], outputs=[value("score", INT64, ["n"])])


def cast_to(kind: int) -> bytes:
    """A score of another element type."""
    nodes, stored = pooled("x", "p")
    return built(
        [*nodes, node("Cast", ["p"], "score", to=kind)], stored, outputs=[value("score", kind, ["n", 1])]
    )


def fused() -> bytes:
    """An operator of onnxruntime itself, as its optimiser writes it."""
    nodes, stored = pooled("wide")
    first = helper.make_node("FusedMatMul", ["x", "eye"], ["wide"], domain="com.microsoft", alpha=1.0)
    return built([first, *nodes], [*stored, constant("eye", np.eye(WIDTH))], domains=["com.microsoft"])
