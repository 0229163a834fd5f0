"""Makes small ONNX models: a bounded score of the inputs that a test needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Shape = Sequence[int | str | None]
"""Axes: fixed, free by name, or free without a name."""
FLOAT, DOUBLE, HALF = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
INT32, INT64, BOOL = TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


def scoring(
    inputs: Mapping[str, tuple[int, Shape]], metadata: Mapping[str, str] | None = None, kind: int = FLOAT
) -> bytes:
    """Returns a model whose score (n) is the sigmoid of a tenth of the sum of all values of all inputs, of any type."""
    nodes: list[NodeProto] = []
    for name, (_, shape) in inputs.items():
        nodes.append(helper.make_node("Cast", [name], [f"{name}.float"], to=kind))
        axes = list(range(1, len(shape)))
        nodes.append(
            reduced(f"{name}.float", f"{name}.sum", axes) if axes else same(f"{name}.float", f"{name}.sum")
        )
    nodes += [
        helper.make_node("Sum", [f"{name}.sum" for name in inputs], ["sum"]),
        helper.make_node("Mul", ["sum", "tenth"], ["small"]),
        helper.make_node("Sigmoid", ["small"], ["score"]),
    ]
    tenth = numpy_helper.from_array(np.array(0.1, dtype=helper.tensor_dtype_to_np_dtype(kind)), "tenth")
    values = [value(name, *given) for name, given in inputs.items()]
    return model(nodes, values, [value("score", kind, ["n"])], [tenth], metadata)


def reduced(source: str, target: str, axes: Sequence[int], operator: str = "ReduceMean") -> NodeProto:
    """Adds a mean over axes, which are removed."""
    return helper.make_node(operator, [source], [target], axes=list(axes), keepdims=0)


def same(source: str, target: str) -> NodeProto:
    return helper.make_node("Identity", [source], [target])


def value(name: str, kind: int, shape: Shape | None) -> ValueInfoProto:
    """Declares an input or output. Without a shape, its axes are not declared."""
    return helper.make_tensor_value_info(name, kind, None if shape is None else list(shape))


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    initializers: Sequence[TensorProto] = (),
    metadata: Mapping[str, str] | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
) -> bytes:
    graph = helper.make_graph(list(nodes), "small", list(inputs), list(outputs), list(initializers))
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))
    helper.set_model_props(made, dict(metadata or {}))
    content: bytes = made.SerializeToString()
    return content


def over_events(nodes: Sequence[NodeProto], output: ValueInfoProto, *constants: TensorProto) -> bytes:
    """Returns a model of these nodes, from `events` (n, l, 4) to one output."""
    return model(nodes, [value("events", FLOAT, ["n", "l", 4])], [output], constants)
