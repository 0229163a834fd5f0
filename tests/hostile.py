"""ONNX files that a server must refuse or survive. Unless the docstring says otherwise, each takes events (n, l, 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

WIDTH = 4
OPSET = 17


def not_onnx() -> bytes:
    """Text."""
    return b"This is no model.\n" * 10


def truncated(model: bytes) -> bytes:
    """The first half of a model."""
    return model[: len(model) // 2]


def without_graph() -> bytes:
    """No bytes at all: a well-formed protobuf message, and no model."""
    return b""


def plain() -> bytes:
    """A harmless model, the mean of all cells, (n): what the others are made from."""
    return _model([_mean("events", "score")])


def with_external_data(location: str = "../secret.bin") -> bytes:
    """Weights that lie in another file, outside the model's folder."""
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[WIDTH], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value=location)
    nodes = [helper.make_node("Mul", ["events", "w"], ["weighted"]), _mean("weighted", "score")]
    return _model(nodes, [tensor])


def with_nested_external_data(location: str = "../secret.bin") -> bytes:
    """The same, but hidden in the attribute of a Constant node."""
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[WIDTH], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value=location)
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    return _model(
        [constant, helper.make_node("Mul", ["events", "w"], ["weighted"]), _mean("weighted", "score")]
    )


def with_custom_operator(domain: str = "com.example") -> bytes:
    """An operator that only a library of the caller's would know."""
    nodes = [helper.make_node("Backdoor", ["events"], ["odd"], domain=domain), _mean("odd", "score")]
    return _model(nodes, domains=[domain])


def with_nodes(count: int) -> bytes:
    """A chain of `count` nodes, small in bytes and large in work."""
    names = ["events", *(f"x{k}" for k in range(count - 1))]
    chain = [helper.make_node("Identity", [a], [b]) for a, b in pairwise(names)]
    return _model([*chain, _mean(names[-1], "score")])


def with_hidden_nodes(count: int) -> bytes:
    """One If node whose branches hold `count` nodes together."""
    branches = [_branch(name, count // 2) for name in ("then", "else")]
    choice = helper.make_node("If", ["yes"], ["copy"], then_branch=branches[0], else_branch=branches[1])
    return _model([choice, _mean("copy", "score")], [numpy_helper.from_array(np.array(True), "yes")])


def with_nesting(depth: int) -> bytes:
    """If nodes inside If nodes, `depth` deep; protobuf itself allows about thirty."""
    inner = _branch("leaf", 1)
    for level in range(depth):
        output = f"r{level}"
        choice = helper.make_node("If", ["yes"], [output], then_branch=inner, else_branch=_branch("leaf", 1))
        inner = helper.make_graph(
            [choice], f"level{level}", [], [helper.make_empty_tensor_value_info(output)]
        )
    node = helper.make_node("If", ["yes"], ["copy"], then_branch=inner, else_branch=_branch("leaf", 1))
    return _model([node, _mean("copy", "score")], [numpy_helper.from_array(np.array(True), "yes")])


def from_the_future() -> bytes:
    """An operator set that nobody has yet."""
    return _model([_mean("events", "score")], opset=9999)


def with_text_input() -> bytes:
    """Events of strings."""
    nodes = [
        helper.make_node("Shape", ["events"], ["size"]),
        helper.make_node("Cast", ["size"], ["score"], to=1),
    ]
    return _model(nodes, inputs=[_value("events", TensorProto.STRING, ["n", "l", WIDTH])])


def without_inputs() -> bytes:
    """A score of nothing."""
    score = helper.make_tensor("", TensorProto.FLOAT, [1, 1], [0.5])
    return _model([helper.make_node("Constant", [], ["score"], value=score)], inputs=[])


def with_dangling_input() -> bytes:
    """A node that reads what no node makes."""
    return _model([_mean("nobody", "score")])


def with_a_circle() -> bytes:
    """Two nodes that wait for each other."""
    nodes = [
        helper.make_node("Add", ["events", "b"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        _mean("b", "score"),
    ]
    return _model(nodes)


def with_lying_weights() -> bytes:
    """A tensor that declares a tebibyte and holds four bytes."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 38], raw_data=b"\0\0\0\0")
    nodes = [helper.make_node("ReduceMean", ["w"], ["m"]), helper.make_node("Add", ["events", "m"], ["x"])]
    return _model([*nodes, _mean("x", "score")], [tensor])


def with_memory_bomb(elements: int = 1 << 40) -> bytes:
    """A few hundred bytes that ask for terabytes when run."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["vast"]),
        helper.make_node("ReduceMean", ["vast"], ["m"], keepdims=0),
        helper.make_node("Add", ["events", "m"], ["x"]),
        _mean("x", "score"),
    ]
    return _model(nodes, [numpy_helper.from_array(np.array([elements], dtype=np.int64), "size")])


def with_long_loop(trips: int) -> bytes:
    """A loop of so many trips: a few hundred bytes that run for as long as they like."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["more"]), helper.make_node("Sin", ["x"], ["y"])],
        "body",
        [
            _value("k", TensorProto.INT64, []),
            _value("go", TensorProto.BOOL, []),
            _value("x", 1, ["n", "l", WIDTH]),
        ],
        [_value("more", TensorProto.BOOL, []), _value("y", 1, ["n", "l", WIDTH])],
    )
    constants = [
        numpy_helper.from_array(np.array(trips, dtype=np.int64), "trips"),
        numpy_helper.from_array(np.array(True), "yes"),
    ]
    loop = helper.make_node("Loop", ["trips", "yes", "events"], ["x_last"], body=body)
    return _model([loop, _mean("x_last", "score")], constants)


def with_nan_output() -> bytes:
    """Loads and runs, and every score is NaN."""
    nan = numpy_helper.from_array(np.array(np.nan, dtype=np.float32), "nan")
    return _model([helper.make_node("Mul", ["events", "nan"], ["x"]), _mean("x", "score")], [nan])


def failing_when_run() -> bytes:
    """Loads, and fails on any input: (n, l, 4) cells never make (n, 7, 11)."""
    shape = numpy_helper.from_array(np.array([0, 7, 11], dtype=np.int64), "shape")
    return _model([helper.make_node("Reshape", ["events", "shape"], ["x"]), _mean("x", "score")], [shape])


def with_scalar_output() -> bytes:
    """One score for the whole batch, of two columns' mean: no row is told from its columns, even alone."""
    node = helper.make_node("ReduceMean", ["events"], ["score"], axes=[0, 1], keepdims=0)
    return _model([node], output=_value("score", TensorProto.FLOAT, [WIDTH]))


def with_deep_output() -> bytes:
    """Scores of a shape that means nothing here, (n, l, 4, 2)."""
    axes = numpy_helper.from_array(np.array([3], dtype=np.int64), "axes")
    output = _value("score", TensorProto.FLOAT, ["n", "l", WIDTH, 2])
    nodes = [
        helper.make_node("Unsqueeze", ["events", "axes"], ["deep"]),
        helper.make_node("Concat", ["deep", "deep"], ["score"], axis=3),
    ]
    return _model(nodes, [axes], output=output)


def _value(name: str, kind: int, shape: Sequence[int | str]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def _mean(source: str, target: str) -> NodeProto:
    """(n, l, d) -> (n), the mean over time and columns."""
    return helper.make_node("ReduceMean", [source], [target], axes=[1, 2], keepdims=0)


def _branch(name: str, nodes: int) -> onnx.GraphProto:
    names = ["events", *(f"{name}{k}" for k in range(nodes))]
    chain = [helper.make_node("Identity", [a], [b]) for a, b in pairwise(names)]
    return helper.make_graph(chain, name, [], [helper.make_empty_tensor_value_info(names[-1])])


def _model(
    nodes: Sequence[NodeProto],
    initializers: Sequence[TensorProto] = (),
    inputs: Sequence[ValueInfoProto] | None = None,
    output: ValueInfoProto | None = None,
    domains: Sequence[str] = (),
    opset: int = OPSET,
) -> bytes:
    events = [_value("events", TensorProto.FLOAT, ["n", "l", WIDTH])] if inputs is None else inputs
    score = output or _value("score", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(nodes, "hostile", events, [score], list(initializers))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    payload: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return payload
