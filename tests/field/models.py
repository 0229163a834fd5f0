"""Models with mistakes that people make when they export, each rebuilt from a public report."""

from __future__ import annotations

import numpy as np
from field.parts import (
    EVENTS,
    UNITS,
    WIDTH,
    built,
    constant,
    gru,
    head,
    node,
    pooled,
    quantised_layers,
    weights,
)
from onnx import TensorProto, helper
from small_onnx import BOOL, DOUBLE, FLOAT, HALF, INT32, INT64, Shape, value


def dropout_left_on() -> bytes:
    """Dropout exported in training mode. onnx/onnx#3753, microsoft/onnxruntime#5549 and #4589."""
    nodes, stored = pooled("dropped")
    drop = node("Dropout", ["x", "ratio", "training"], "dropped")
    return built([drop, *nodes], [*stored, constant("ratio", 0.5), constant("training", True, bool)])


def noise_in_the_graph() -> bytes:
    """torch.randn_like in forward. huggingface/optimum#1383."""
    nodes, stored = pooled("noisy")
    return built(
        [node("RandomNormalLike", ["x"], "noise"), node("Add", ["x", "noise"], "noisy"), *nodes], stored
    )


def seeded_noise_in_the_graph() -> bytes:
    """The same with a seed: only the first run is repeatable. microsoft/onnxruntime#20054."""
    nodes, stored = pooled("noisy")
    noise = node("RandomUniformLike", ["x"], "noise", low=-1.0, high=1.0, seed=3.0)
    return built([noise, node("Add", ["x", "noise"], "noisy"), *nodes], stored)


def sampled_class() -> bytes:
    """The class is drawn, not scored. pytorch/pytorch#112512 (a language model that samples its next token)."""
    nodes, stored = pooled("x", "p")
    more = [node("Bernoulli", ["p"], "score", dtype=FLOAT)]
    return built([*nodes, *more], stored)


def small_noise_in_the_graph() -> bytes:
    """Noise of a thousandth: two runs nearly agree."""
    nodes, stored = pooled("noisy")
    noise = node("RandomNormalLike", ["x"], "noise", scale=0.001)
    return built([noise, node("Add", ["x", "noise"], "noisy"), *nodes], stored)


def normalised_over_the_batch() -> bytes:
    """(x - x.mean()) / x.std() in forward, over the whole batch. pytorch/pytorch#52867 (batch statistics)."""
    nodes, stored = pooled("normal")
    first = [
        node("ReduceMean", ["x"], "mean", keepdims=1),
        node("Sub", ["x", "mean"], "centred"),
        node("Mul", ["centred", "centred"], "squared"),
        node("ReduceMean", ["squared"], "variance", keepdims=1),
        node("Add", ["variance", "tiny"], "positive"),
        node("Sqrt", ["positive"], "deviation"),
        node("Div", ["centred", "deviation"], "normal"),
    ]
    return built([*first, *nodes], [*stored, constant("tiny", 1e-5)])


def batch_norm_in_training_mode() -> bytes:
    """BatchNorm exported in training mode. microsoft/onnxscript#1791, microsoft/onnxruntime#26584."""
    nodes, stored = pooled("normal")
    first = [
        node("Transpose", ["x"], "channels", perm=[0, 2, 1]),
        node(
            "BatchNormalization",
            ["channels", "scale", "shift", "mean", "variance"],
            ["normal.channels", "mean.out", "variance.out"],
            training_mode=1,
        ),
        node("Transpose", ["normal.channels"], "normal", perm=[0, 2, 1]),
    ]
    stats = [
        constant(name, np.full(WIDTH, fill))
        for name, fill in zip(("scale", "shift", "mean", "variance"), (1, 0, 0, 1), strict=True)
    ]
    return built([*first, *nodes], [*stored, *stats])


def attention_over_the_batch() -> bytes:
    """softmax without dim takes axis 0 of three axes, the batch. pytorch/pytorch, "implicit dim"."""
    nodes = [
        node("MatMul", ["x", "attention"], "energy"),
        node("Softmax", ["energy"], "weight", axis=0),
        node("Mul", ["x", "weight"], "weighted"),
        node("ReduceSum", ["weighted", "time"], "context", keepdims=0),
        node("MatMul", ["context", "w"], "logit"),
        node("Sigmoid", ["logit"], "score"),
    ]
    return built(
        nodes,
        [
            constant("attention", weights(WIDTH, 1)),
            constant("time", [1], np.int64),
            constant("w", weights(WIDTH, 1, scale=1.5)),
        ],
    )


def squeezed_everywhere(said: Shape | None = None) -> bytes:
    """output.squeeze() without an axis, which removes the batch axis if it is one."""
    nodes, stored = pooled("x", "column")
    return built(
        [*nodes, node("Squeeze", ["column"], "score")], stored, outputs=[value("score", FLOAT, said)]
    )


def first_row_only() -> bytes:
    """return logits[0]: the score of the first sequence, whatever the batch."""
    nodes, stored = pooled("x", "all")
    return built(
        [*nodes, node("Gather", ["all", "first"], "score", axis=0)],
        [*stored, constant("first", 0, np.int64)],
        outputs=[value("score", FLOAT, [1])],
    )


def batch_folded_into_time() -> bytes:
    """x.view(1, -1, d): every sequence of the batch becomes part of one."""
    nodes, stored = pooled("folded")
    return built(
        [node("Reshape", ["x", "shape"], "folded"), *nodes],
        [*stored, constant("shape", [1, -1, WIDTH], np.int64)],
        outputs=[value("score", FLOAT, [None, 1])],
    )


def state_as_first_output() -> bytes:
    """`return h_n, output`: the first output is (layers, n, units)."""
    nodes, stored = gru("x", "raw", "h_n")
    more = [
        node("Squeeze", ["raw", "axis"], "time_first"),
        node("Transpose", ["time_first"], "output", perm=[1, 0, 2]),
    ]
    return built(
        [*nodes, *more],
        [*stored, constant("axis", [1], np.int64)],
        outputs=[value("h_n", FLOAT, [1, "n", UNITS]), value("output", FLOAT, ["n", "l", UNITS])],
    )


def branch_on_length() -> bytes:
    """torch.cond on the number of events: short sequences are scored by another branch."""
    nodes, stored = pooled("x", "long")
    low = helper.make_graph(
        [node("Mul", ["long", "half"], "short")], "short", [], [value("short", FLOAT, ["n", 1])]
    )
    high = helper.make_graph(
        [node("Identity", ["long"], "same")], "long", [], [value("same", FLOAT, ["n", 1])]
    )
    more = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "one"], "length"),
        node("Less", ["length", "limit"], "is_short"),
        node("If", ["is_short"], "score", then_branch=low, else_branch=high),
    ]
    extra = [constant("one", 1, np.int64), constant("limit", 4, np.int64), constant("half", 0.5)]
    return built([*nodes, *more], [*stored, *extra])


def weights_as_inputs(ir: int = 3) -> bytes:
    """keep_initializers_as_inputs=True: every weight is an input with a default. onnx/onnx#1449."""
    nodes, stored = pooled("x")
    inputs = [value("x", FLOAT, EVENTS), *(value(each.name, FLOAT, list(each.dims)) for each in stored)]
    graph = helper.make_graph(nodes, "small", inputs, [value("score", FLOAT, ["n", 1])], stored)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=ir)
    content: bytes = made.SerializeToString()
    return content


def option_with_a_default() -> bytes:
    """An input that may be left out, because an initializer is its default. microsoft/onnxruntime#6931."""
    nodes, stored = pooled("scaled")
    return built(
        [node("Mul", ["x", "gain"], "scaled"), *nodes],
        [*stored, constant("gain", [2.0])],
        inputs=[value("x", FLOAT, EVENTS), value("gain", FLOAT, [1])],
    )


def scalar_option() -> bytes:
    """A scalar without a default beside the sequence, such as a sampling rate."""
    nodes, stored = pooled("scaled")
    first = [node("Cast", ["sr"], "rate", to=FLOAT), node("Mul", ["x", "rate"], "scaled")]
    return built([*first, *nodes], stored, inputs=[value("x", FLOAT, EVENTS), value("sr", INT64, [])])


def training_flag() -> bytes:
    """The training flag of Dropout as an input of the graph."""
    nodes, stored = pooled("dropped")
    drop = node("Dropout", ["x", "ratio", "training"], "dropped")
    return built(
        [drop, *nodes],
        [*stored, constant("ratio", 0.5)],
        inputs=[value("x", FLOAT, EVENTS), value("training", BOOL, [])],
    )


def masked_mean(name: str, kind: int, keep_where: bool) -> bytes:
    """A mean over the events that a mask keeps: those where it is true, or those where it is false."""
    picked = [node("Cast", [name], "as_bool", to=BOOL)]
    picked += (
        [node("Not", ["as_bool"], "kept")] if not keep_where else [node("Identity", ["as_bool"], "kept")]
    )
    nodes = [
        *picked,
        node("Cast", ["kept"], "weight", to=FLOAT),
        node("Unsqueeze", ["weight", "last"], "column"),
        node("MatMul", ["x", "w1"], "hidden"),
        node("Tanh", ["hidden"], "bent"),
        node("Mul", ["bent", "column"], "masked"),
        node("ReduceSum", ["masked", "time"], "sum", keepdims=0),
        node("ReduceSum", ["column", "time"], "count", keepdims=0),
        node("Max", ["count", "unit"], "divisor"),
        node("Div", ["sum", "divisor"], "mean"),
        node("MatMul", ["mean", "w2"], "logit"),
        node("Sigmoid", ["logit"], "score"),
    ]
    stored = [
        constant("last", [2], np.int64),
        constant("time", [1], np.int64),
        constant("unit", [1.0]),
        constant("w1", weights(WIDTH, UNITS)),
        constant("w2", weights(UNITS, 1, scale=1.5)),
    ]
    return built(nodes, stored, inputs=[value("x", FLOAT, EVENTS), value(name, kind, ["n", "l"])])


def padding_mask(name: str = "src_key_padding_mask") -> bytes:
    """torch's key_padding_mask: True where an event is padding. mlwithme/TransformerTranslation#2."""
    return masked_mean(name, BOOL, keep_where=False)


def additive_mask(name: str = "attention_mask", length: int | None = None) -> bytes:
    """An additive mask: 0 keeps an event, a large negative number hides it. mlverse/torch#1208."""
    axis = length or "l"
    nodes = [
        node("MatMul", ["x", "attention"], "energy.column"),
        node("Squeeze", ["energy.column", "last"], "energy"),
        node("Add", ["energy", name], "masked"),
        node("Softmax", ["masked"], "weight", axis=1),
        node("Unsqueeze", ["weight", "last"], "column"),
        node("Mul", ["x", "column"], "weighted"),
        node("ReduceSum", ["weighted", "time"], "context", keepdims=0),
        node("MatMul", ["context", "w"], "logit"),
        node("Sigmoid", ["logit"], "score"),
    ]
    stored = [
        constant("attention", weights(WIDTH, 1)),
        constant("last", [2], np.int64),
        constant("time", [1], np.int64),
        constant("w", weights(WIDTH, 1, scale=1.5)),
    ]
    return built(
        nodes, stored, inputs=[value("x", FLOAT, ["n", axis, WIDTH]), value(name, FLOAT, ["n", axis])]
    )


def lengths_input(name: str, kind: int, shape: list[int | str]) -> bytes:
    """A GRU with the number of events as an input. pytorch/pytorch#48460 and others."""
    nodes, stored = gru("x")
    flat = [
        node("Reshape", [name, "flat"], "flat.lengths"),
        node("Cast", ["flat.lengths"], "lengths.int", to=INT32),
    ]
    nodes[1].input.extend(["", "lengths.int"])
    last, more = head("last")
    return built(
        [*flat, *nodes, *last],
        [*stored, *more, constant("flat", [-1], np.int64)],
        inputs=[value("x", FLOAT, EVENTS), value(name, kind, shape)],
    )


def typed(kind: int) -> bytes:
    """An input and an output of another element type."""
    nodes, stored = pooled("cast", "raw")
    return built(
        [
            node("Cast", ["x"], "cast", to=FLOAT),
            *nodes,
            node("Cast", ["raw"], "score", to=kind if kind in (DOUBLE, HALF) else FLOAT),
        ],
        stored,
        inputs=[value("x", kind, EVENTS)],
        outputs=[value("score", kind if kind in (DOUBLE, HALF) else FLOAT, ["n", 1])],
    )


def log_inside() -> bytes:
    """log(x) in the graph, which is not a number for a background of 0 or below."""
    nodes, stored = pooled("logs")
    return built([node("Log", ["x"], "logs"), *nodes], stored)


def flattened_window() -> bytes:
    """A window of lags in one row (n, 4 · 3), as scikit-learn and LightGBM want it."""
    nodes, stored = pooled("events")
    return built(
        [node("Reshape", ["x", "shape"], "events"), *nodes],
        [*stored, constant("shape", [-1, 4, WIDTH], np.int64)],
        inputs=[value("x", FLOAT, ["n", 4 * WIDTH])],
    )


def listed_output() -> bytes:
    """An output that is a list of tensors. onnx/onnxmltools#30 and microsoft/onnxruntime#19571 show the kind."""
    nodes, stored = pooled("x", "one")
    listed = helper.make_tensor_sequence_value_info("score", FLOAT, None)
    return built([*nodes, node("SequenceConstruct", ["one", "one"], "score")], stored, outputs=[listed])


def stamped(opset: int = 17, ir: int = 8, domain: str = "") -> bytes:
    """Stamped with versions newer than the runtime's, or with a node of another domain."""
    nodes, stored = pooled("given")
    nodes.insert(
        0, helper.make_node("Identity" if not domain else "Tokenizer", ["x"], ["given"], domain=domain)
    )
    graph = helper.make_graph(
        nodes, "small", [value("x", FLOAT, EVENTS)], [value("score", FLOAT, ["n", 1])], stored
    )
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    made = helper.make_model(graph, opset_imports=opsets, ir_version=ir)
    content: bytes = made.SerializeToString()
    return content


def quantised() -> bytes:
    """int8 weights, activations quantised with a scale of each call. microsoft/onnxruntime#10111, #8625."""
    return built(*quantised_layers("x", 1.5))


def words() -> bytes:
    """An input of strings, hashed in the graph."""
    nodes = [
        node("Equal", ["x", "word"], "same"),
        node("Cast", ["same"], "ones", to=FLOAT),
        node("ReduceMean", ["ones"], "score", axes=[1], keepdims=0),
    ]
    stored = [helper.make_tensor("word", TensorProto.STRING, [1], [b"login"])]
    return built(nodes, stored, inputs=[value("x", TensorProto.STRING, ["n", "l", 1])])


def half_input() -> bytes:
    """float16 before a tanh: values above 65,504 become infinite, and the score stays finite."""
    nodes, stored = pooled("wide")
    first = [node("Tanh", ["x"], "bent"), node("Cast", ["bent"], "wide", to=FLOAT)]
    return built([*first, *nodes], stored, inputs=[value("x", HALF, EVENTS)])


def labelling() -> bytes:
    """The steps of a GRU with the classes before the steps, (n, 4, l), as torch's CrossEntropyLoss takes them."""
    nodes, stored = gru("x")
    more = [
        node("Squeeze", ["states", "axis"], "steps"),
        node("Transpose", ["steps"], "classes", perm=[1, 2, 0]),
        node("Softmax", ["classes"], "score", axis=1),
    ]
    held = [*stored, constant("axis", [1], np.int64)]
    return built([*nodes, *more], held, outputs=[value("score", FLOAT, ("n", UNITS, "l"))])
