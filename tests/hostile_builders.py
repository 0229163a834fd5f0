"""Builds the ONNX files of `hostile_graphs`. Each takes events (n, l, 4) and returns a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from onnx import (
    AttributeProto,
    FunctionProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

FLOAT, INT64, BOOL, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING
MICROSOFT, LEARNING, LOCAL = "com.microsoft", "ai.onnx.ml", "local"
WIDTH = 4
EVENTS = helper.make_tensor_value_info("events", FLOAT, ["n", "l", WIDTH])
EMPTY_KINDS = {
    "perm": AttributeProto.INTS,
    "support_vectors": AttributeProto.FLOATS,
    "rho": AttributeProto.FLOATS,
}


def node(
    operator: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: object
) -> NodeProto:
    """A node. Empty lists among its attributes have the type that the operator wants."""
    full = {name: value for name, value in attributes.items() if value != []}
    made: NodeProto = helper.make_node(operator, inputs, outputs, domain=domain, **full)
    for name in attributes.keys() - full.keys():
        made.attribute.append(helper.make_attribute(name, [], attr_type=EMPTY_KINDS[name]))
    return made


def model(
    nodes: Sequence[NodeProto],
    constants: Mapping[str, object] | Sequence[TensorProto] = (),
    opset: int = 20,
    functions: Sequence[FunctionProto] = (),
    sparse: Sequence[SparseTensorProto] = (),
    score: ValueInfoProto | None = None,
    extra_inputs: Sequence[ValueInfoProto] = (),
) -> bytes:
    """A model of these nodes, of which one makes `score`. Constants are arrays by name, or tensors."""
    tensors = (
        [array(value, name) for name, value in constants.items()]
        if isinstance(constants, Mapping)
        else constants
    )
    output = score or helper.make_tensor_value_info("score", FLOAT, None)
    graph = helper.make_graph(nodes, "g", [EVENTS, *extra_inputs], [output], list(tensors))
    graph.sparse_initializer.extend(sparse)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in (MICROSOFT, LOCAL))]
    opsets.append(helper.make_opsetid(LEARNING, 3))
    content: bytes = helper.make_model(
        graph, opset_imports=opsets, ir_version=10, functions=list(functions)
    ).SerializeToString()
    return content


def array(value: object, name: str) -> TensorProto:
    made: TensorProto = numpy_helper.from_array(np.asarray(value), name)
    return made


def scored(value: str, output: str = "score") -> list[NodeProto]:
    """The sum of a value's elements, as the score."""
    return [
        node("Cast", [value], ["as_float"], to=FLOAT),
        node("ReduceSum", ["as_float"], [output], keepdims=0),
    ]


def floats(*shape: int) -> np.ndarray:
    return np.full(shape, 0.1, np.float32)


def longs(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def recurrent(operator: str, steps: str, hidden: int = 3) -> bytes:
    """A recurrent layer over no events, with a sequence length of 0, over a scalar, or with weights of another size."""
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[operator]
    constants: dict[str, object] = {
        "w": floats(1, gates * 3, WIDTH),
        "r": floats(1, gates * 3, 3),
        "zero": longs(0),
        "one": longs(1),
        "axis": longs(1),
        "lengths": np.zeros(1, np.int32),
        "scalar": np.float32(1),
    }
    before = {
        "no": [node("Slice", ["swapped", "zero", "zero"], ["x"])],
        "zero": [node("Slice", ["swapped", "zero", "one", "axis"], ["x"])],
        "scalar": [node("Identity", ["scalar"], ["x"])],
    }[steps]
    inputs = ["x", "w", "r", "", "lengths"] if steps == "zero" else ["x", "w", "r"]
    layer = node(operator, inputs, ["y"], hidden_size=hidden)
    return model(
        [node("Transpose", ["events"], ["swapped"], perm=[1, 0, 2]), *before, layer, *scored("y")], constants
    )


def huge_constant(exponent: int) -> bytes:
    """A constant of 2^exponent elements, from a shape of eight bytes."""
    fill = node("ConstantOfShape", ["size"], ["all"], value=array(floats(1), ""))
    return model([fill, *scored("all")], {"size": longs(1 << exponent)})


def expand_overflow() -> bytes:
    """A product of sizes that does not fit into 64 bits."""
    return model(
        [node("Expand", ["one", "shape"], ["all"]), *scored("all")],
        {"one": floats(1), "shape": longs(1 << 32, 1 << 32, 1 << 10)},
    )


def convolution(
    operator: str = "Conv", kernel: tuple[int, ...] = (1, WIDTH, 1), **attributes: object
) -> bytes:
    """A convolution over the events as channels, with any kernel and attributes."""
    layer = node(operator, ["swapped", "w"], ["all"], **attributes)
    swap = node("Transpose", ["events"], ["swapped"], perm=[0, 2, 1])
    return model([swap, layer, *scored("all")], {"w": floats(*kernel)})


def pool(operator: str, **attributes: object) -> bytes:
    return model([node(operator, ["events"], ["all"], kernel_shape=[1], **attributes), *scored("all")])


def transposed_scalar_pad() -> bytes:
    """A Transpose around the Pad of a scalar, which the optimizer moves."""
    return model(
        [
            node("Transpose", ["scalar"], ["t"], perm=[]),
            node("Pad", ["t", "pads"], ["p"]),
            node("Transpose", ["p"], ["all"], perm=[]),
            *scored("all"),
        ],
        {"scalar": np.float32(1), "pads": np.zeros(0, np.int64)},
    )


def division(operator: str, kind: type, dividend: int, divisor: int) -> bytes:
    """An integer division whose divisor depends on the events, so that nothing is folded at load."""
    to = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    return model(
        [
            node("ReduceSum", ["events"], ["sum"], keepdims=0),
            node("Mul", ["sum", "nought"], ["none"]),
            node("Cast", ["none"], ["zero"], to=to),
            node("Add", ["zero", "a"], ["x"]),
            node("Add", ["zero", "b"], ["y"]),
            node(operator, ["x", "y"], ["all"]),
            *scored("all"),
        ],
        {"nought": np.float32(0), "a": np.array([dividend], kind), "b": np.array([divisor], kind)},
    )


def lying_initializer(*shape: int) -> bytes:
    """A constant that claims a huge shape, and has four bytes."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=shape, raw_data=b"\0\0\0\0")
    return model([node("Identity", ["w"], ["all"]), *scored("all")], [tensor])


def einsum(equation: str, inputs: int = 1) -> bytes:
    return model([node("Einsum", ["events"] * inputs, ["all"], equation=equation), *scored("all")])


def giant_einsum() -> bytes:
    """A product of matrices that takes long, in one node."""
    nodes = [
        node("Expand", ["one", "shape"], ["m"]),
        node("Einsum", ["m", "m"], ["all"], equation="ij,jk->ik"),
        *scored("all"),
    ]
    return model(nodes, {"one": floats(1, 1), "shape": longs(5500, 5500)})


def support_vectors(**lies: object) -> bytes:
    """A support vector machine whose sizes contradict each other."""
    attributes: dict[str, object] = {
        "kernel_type": "LINEAR",
        "coefficients": [1.0] * 4,
        "support_vectors": [1.0] * 4,
        "rho": [0.5],
        "kernel_params": [0.1, 0.0, 3.0],
        "n_supports": 4,
        **lies,
    }
    rows = [node("Reshape", ["events", "rows"], ["x"])]
    layer = node("SVMRegressor", ["x"], ["all"], domain=LEARNING, **attributes)
    return model([*rows, layer, *scored("all")], {"rows": longs(-1, WIDTH)})


def svm_classifier() -> bytes:
    """More vectors for each class than there are."""
    rows = [node("Reshape", ["events", "rows"], ["x"])]
    layer = node(
        "SVMClassifier", ["x"], ["label", "all"], domain=LEARNING, kernel_type="LINEAR",
        coefficients=[1.0], support_vectors=[1.0, 2.0], rho=[0.1], vectors_per_class=[1 << 30, 1 << 30],
        kernel_params=[0.1, 0.0, 3.0],
        classlabels_ints=[0, 1], prob_a=[1.0], prob_b=[1.0],
    )  # fmt: skip
    return model([*rows, layer, *scored("all")], {"rows": longs(-1, WIDTH)})


def col2im(*image: int) -> bytes:
    """An image of more pixels than fit into 64 bits."""
    return model(
        [node("Col2Im", ["events", "image", "block"], ["all"]), *scored("all")],
        {"image": longs(*image), "block": longs(1, 1)},
    )


def multiplied(count: int) -> bytes:
    """Products of one weight, which a runtime computes when it loads the file."""
    names = ["w", *(f"p{k}" for k in range(count))]
    chain = [node("MatMul", [a, "w"], [b]) for a, b in pairwise(names)]
    return model([*chain, *scored(names[-1])], {"w": np.full((512, 512), 1e-3, np.float32)})


def doubled(count: int, operator: str = "Concat") -> bytes:
    """A value joined with itself again and again: 2^count elements."""
    names = ["events", *(f"d{k}" for k in range(count))]
    attributes = {"axis": 1} if operator == "Concat" else {}
    return model(
        [*(node(operator, [a, a], [b], **attributes) for a, b in pairwise(names)), *scored(names[-1])]
    )


def tiled_strings(count: int) -> bytes:
    """A long string, many times."""
    nodes = [node("Tile", ["text", "times"], ["many"]), node("Shape", ["many"], ["all"]), *scored("all")]
    text = helper.make_tensor("text", STRING, [1], [b"x" * 10_000])
    return model(nodes, [text, array(longs(count), "times")])


def sparse_tensors(count: int, size: int) -> bytes:
    """Constants that are small in the file, and large in memory."""
    tensors = []
    for number in range(count):
        values = array(floats(1), f"s{number}")
        tensors.append(helper.make_sparse_tensor(values, array(longs(0), ""), [size]))
    names = [f"s{number}" for number in range(count)]
    return model([node("Sum", names, ["all"]), *scored("all")], sparse=tensors)


def split_of_nothing(outputs: int) -> bytes:
    """Parts of an axis that has no elements, each with a huge other axis."""
    names = [f"o{k}" for k in range(outputs)]
    constants = {"one": floats(1, 1), "huge": longs(0, 1 << 40)}
    nodes = [
        node("Expand", ["one", "huge"], ["x"]),
        node("Split", ["x"], names, axis=1, num_outputs=outputs),
        *scored(names[0]),
    ]
    return model(nodes, constants)


def wide_bool(exponent: int) -> bytes:
    """Booleans, which take eight times the memory as numbers."""
    fill = node("ConstantOfShape", ["size"], ["all"], value=array(np.array([True]), ""))
    return model([fill, *scored("all")], {"size": longs(1 << exponent)})


def single(
    operator: str, constants: Mapping[str, object], domain: str = "", opset: int = 20, **attributes: object
) -> bytes:
    """One node over constants."""
    layer = node(operator, list(constants), ["all"], domain=domain, **attributes)
    return model([layer, *scored("all")], constants, opset)
