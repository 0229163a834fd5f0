"""Element types of inputs and outputs: the numbers they are, or refused by name; and files that nobody can run yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sequela_client import CallerError, Sequela, SequelaError
from single_rows import assert_true, explained, truth
from small_onnx import FLOAT, model, reduced, value
from sweeps import few_of

FLOATS = {
    "bfloat16": TensorProto.BFLOAT16,
    "float8e4m3fn": TensorProto.FLOAT8E4M3FN,
    "float8e5m2": TensorProto.FLOAT8E5M2,
    "float8e4m3fnuz": TensorProto.FLOAT8E4M3FNUZ,
    "float8e5m2fnuz": TensorProto.FLOAT8E5M2FNUZ,
    "float16": TensorProto.FLOAT16,
}


def cast_twice(kind: int, last: int) -> bytes:
    """A mean in an element type, and, for the truth, cast on to another."""
    nodes = [reduced("x", "mean", [1, 2]), helper.make_node("Cast", ["mean"], ["score"], to=kind)]
    outputs = [value("score", kind, ["n"])]
    if last != kind:
        nodes.append(helper.make_node("Cast", ["score"], ["number"], to=last))
        outputs = [value("number", last, ["n"])]
    graph = helper.make_graph(nodes, "g", [value("x", FLOAT, ["n", "l", 3])], outputs)
    for node in graph.node:
        if node.op_type == "ReduceMean":
            node.CopyFrom(helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0))
    graph.initializer.append(numpy_helper.from_array(np.array([1, 2], np.int64), "axes"))
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9
    ).SerializeToString()
    return made


@pytest.mark.parametrize("name", few_of(FLOATS, *tuple(FLOATS)[:2]))
def test_small_floats_are_numbers(sequela: Sequela, tmp_path: Path, name: str) -> None:
    """Their bytes are not: a float8 of 0.25 used to be 40."""
    answer = explained(sequela, cast_twice(FLOATS[name], FLOATS[name]), tmp_path)
    assert_true(answer, truth(cast_twice(FLOATS[name], FLOAT), "number"))


def test_other_element_types_are_refused_by_name(sequela: Sequela, tmp_path: Path) -> None:
    """What nothing here can read."""
    content = cast_twice(TensorProto.COMPLEX64, TensorProto.COMPLEX64)
    with pytest.raises(CallerError, match="'score' complex64"):
        explained(sequela, content, tmp_path)


def typed(kind: int) -> bytes:
    """The mean of an input of an element type."""
    nodes = [helper.make_node("Cast", ["x"], ["float"], to=FLOAT), reduced("float", "score", [1, 2])]
    return model(nodes, [value("x", kind, ["n", "l", 3])], [value("score", FLOAT, ["n"])])


NARROW: list[tuple[int, NDArray[Any], str]] = [
    (TensorProto.UINT8, np.array([[0, 255, 3]], np.int32), "256"),
    (TensorProto.INT8, np.array([[-128, 127, 3]], np.int32), "-129"),
    (TensorProto.UINT16, np.array([[0, 65535, 3]], np.int32), "-1"),
    (TensorProto.INT16, np.array([[-32768, 0, 3]], np.int32), "40000"),
    (TensorProto.UINT32, np.array([[0, 4294967295, 3]], np.int64), "-1"),
    (TensorProto.UINT64, np.array([[0, 1 << 40, 3]], np.int64), "-7"),
    (TensorProto.FLOAT16, np.array([[0.5, 60000.0, 3]], np.float32), "70000"),
]


@pytest.mark.parametrize(("kind", "fits", "wrong"), NARROW, ids=[str(row[0]) for row in NARROW])
def test_narrow_inputs(sequela: Sequela, tmp_path: Path, kind: int, fits: NDArray[Any], wrong: str) -> None:
    """What fits is taken as it is; what does not is refused by name, never wrapped around."""
    content = typed(kind)
    features = [{"name": f"f{column}", "columns": {"x": [column]}} for column in range(3)]
    schema = json.dumps({"features": features}).encode()  # numbers, not ids
    answer = explained(sequela, content, tmp_path, schema, sequence=fits)
    assert answer.score == pytest.approx(float(fits.astype(np.float64).mean()), rel=1e-3)
    too_far = fits.copy()
    too_far[0, 0] = float(wrong)
    name = TensorProto.DataType.Name(kind).lower()
    with pytest.raises(
        SequelaError, match=f"'x' takes {name}, from .*, so {wrong}(.0)? does not fit"
    ) as caught:
        explained(sequela, content, tmp_path, schema, sequence=too_far)
    assert caught.value.reason == "VALUE_OUT_OF_RANGE"


@pytest.mark.parametrize(
    ("opset", "ir_version", "words"),
    [
        (
            99,
            10,
            r"opset 99 of ai.onnx is too new, the newest supported is \d+: export with opset_version=\d+$",
        ),
        (17, 99, r"IR version 99 is too new, the newest supported is \d+: .*model.ir_version = \d+"),
    ],
)
def test_files_from_the_future(
    sequela: Sequela, tmp_path: Path, opset: int, ir_version: int, words: str
) -> None:
    """Which version the file has, which is the newest that runs, and how to get it."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["score"])],
        "g",
        [value("x", FLOAT, ["n", "l", 3])],
        [value("score", FLOAT, ["n", "l", 3])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    with pytest.raises(CallerError, match=words):
        explained(sequela, made.SerializeToString(), tmp_path)
