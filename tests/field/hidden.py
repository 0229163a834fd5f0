"""Models with a defect that a trial run does not show: it needs other rows, many events or large values."""

from __future__ import annotations

import numpy as np
from field.inputs import VOCABULARY
from field.parts import WIDTH, built, constant, node, pooled, quantised_layers, weights
from onnx import NodeProto, TensorProto, helper
from small_onnx import FLOAT, INT64, value


def _embedded(nodes: list[NodeProto], stored: list[TensorProto]) -> bytes:
    """Returns a model of nodes after a table of ten ids, which maps `ids` (n, l) to `embedded` (n, l, 3)."""
    return built(
        [node("Gather", ["table", "ids"], "embedded"), *nodes],
        [*stored, constant("table", weights(VOCABULARY, WIDTH, scale=1.0))],
        inputs=[value("ids", INT64, ["n", "l"])],
    )


def quantised_ids() -> bytes:
    """A text classifier with int8 weights, in which the scale of a call depends on all its rows."""
    return _embedded(*quantised_layers("embedded", 4.0))


def centred_ids() -> bytes:
    """Embeddings minus their mean over the batch, which is 0 if all rows are equal."""
    nodes, stored = pooled("centred")
    first = [
        node("ReduceMean", ["embedded"], "mean.row", axes=[0], keepdims=1),
        node("ReduceMean", ["mean.row"], "mean", axes=[1], keepdims=1),
        node("Sub", ["embedded", "mean"], "centred"),
    ]
    return _embedded([*first, *nodes], stored)


def branch_on_values() -> bytes:
    """torch.cond on x.max(): one large value anywhere in the batch makes every row take the other branch."""
    nodes, stored = pooled("x", "p")
    low = helper.make_graph(
        [node("Mul", ["p", "half"], "less")], "large", [], [value("less", FLOAT, ["n", 1])]
    )
    high = helper.make_graph([node("Identity", ["p"], "same")], "small", [], [value("same", FLOAT, ["n", 1])])
    more = [
        node("ReduceMax", ["x"], "largest", keepdims=0),
        node("Greater", ["largest", "limit"], "is_large"),
        node("If", ["is_large"], "score", then_branch=low, else_branch=high),
    ]
    return built([*nodes, *more], [*stored, constant("limit", 6.0), constant("half", 0.5)])


def noise_for_long_sequences() -> bytes:
    """Noise in a branch that is taken only for sequences of more than 200 events."""
    nodes, stored = pooled("x", "p")
    noisy = [
        node("RandomNormalLike", ["p"], "noise", scale=0.1),
        node("Add", ["p", "noise"], "shaken"),
        node("Clip", ["shaken", "nothing", "all"], "clipped"),
    ]
    far = helper.make_graph(noisy, "long", [], [value("clipped", FLOAT, ["n", 1])])
    near = helper.make_graph([node("Identity", ["p"], "same")], "short", [], [value("same", FLOAT, ["n", 1])])
    more = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "one"], "length"),
        node("Greater", ["length", "limit"], "is_long"),
        node("If", ["is_long"], "score", then_branch=far, else_branch=near),
    ]
    extra = [constant("one", 1, np.int64), constant("limit", 200, np.int64)]
    return built([*nodes, *more], [*stored, *extra, constant("nothing", 0.0), constant("all", 1.0)])


def largest_of_the_batch() -> bytes:
    """Raw amounts: any value above a hundred, anywhere in the batch, changes every row."""
    nodes, stored = pooled("moved")
    first = [
        node("ReduceMax", ["x"], "largest", keepdims=0),
        node("Sub", ["largest", "limit"], "above"),
        node("Relu", ["above"], "more"),
        node("Add", ["x", "more"], "moved"),
    ]
    return built([*first, *nodes], [*stored, constant("limit", 100.0)])
