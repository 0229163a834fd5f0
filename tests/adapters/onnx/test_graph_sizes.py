"""Graphs whose strings, tensors, batches or outputs take far more memory than their file are refused before that."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from adapters.onnx.test_hostile_graphs import SCORE, constant, edited, refusal
from onnx import ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper
from sequela.adapters.onnx.loader import Loader, ModelBytes
from sequela.errors import DoesNotFit, InvalidInput
from sequela.explain.limits import Limits
from small_onnx import BOOL, FLOAT, model, over_events, reduced, value


def tiled_strings(times: int) -> bytes:
    """A string that is repeated for each event, and counted."""
    text = TensorProto(name="text", data_type=TensorProto.STRING, dims=[1], string_data=[b"a" * 100])
    nodes = [
        helper.make_node("Shape", ["events"], ["sizes"]),
        helper.make_node("Slice", ["sizes", "one", "two"], ["length"]),
        helper.make_node("Mul", ["length", "times"], ["repeats"]),
        helper.make_node("Tile", ["text", "repeats"], ["many"]),
        helper.make_node("Shape", ["many"], ["count"]),
        helper.make_node("Cast", ["count"], ["number"], to=FLOAT),
        helper.make_node("Add", ["events", "number"], ["x"]),
        reduced("x", "score", [1, 2]),
    ]
    return over_events(
        nodes, SCORE, text, constant("times", [times]), constant("one", [1]), constant("two", [2])
    )


def branch_of_strings() -> bytes:
    """The string comes out of an If, whose branches hold it as a Constant."""

    def branch(name: str) -> onnx.GraphProto:
        node = helper.make_node("Constant", [], [name], value_strings=[b"a" * 100])
        return helper.make_graph([node], name, [], [value(name, TensorProto.STRING, [1])])

    nodes = [
        helper.make_node("If", ["yes"], ["text"], then_branch=branch("t"), else_branch=branch("e")),
        helper.make_node("Tile", ["text", "times"], ["many"]),
        reduced("events", "score", [1, 2]),
    ]
    return over_events(nodes, SCORE, constant("yes", True, bool), constant("times", [1 << 40]))


@pytest.mark.parametrize("content", [tiled_strings(1 << 24), branch_of_strings()], ids=["tiled", "branch"])
def test_strings_must_not_be_multiplied(content: bytes) -> None:
    """The limit of memory counts 32 bytes for each, however long it is."""
    found = refusal(content)
    assert (type(found), found.reason) == (InvalidInput, "MODEL_STRINGS_UNSUPPORTED")


def test_sparse_tensors_are_counted_in_bytes_and_together() -> None:
    """Each of a tenth of the limit in elements, which are eight tenths of it in bytes."""

    def change(found: ModelProto) -> None:
        for number in range(2):
            values = numpy_helper.from_array(np.ones(1, np.float32), f"w{number}")
            indices = numpy_helper.from_array(np.zeros(1, np.int64))
            dims = [Limits().max_model_bytes // 10]
            found.graph.sparse_initializer.append(
                SparseTensorProto(values=values, indices=indices, dims=dims)
            )

    found = refusal(edited(change))
    assert found.reason == "MODEL_TOO_LARGE"
    assert f"may take {Limits().max_model_bytes} bytes" in found.message


def test_a_wide_output_is_refused_before_it_is_cast() -> None:
    """Booleans of a byte each would take eight times as many bytes as floats."""
    nodes = [
        reduced("events", "m", [1, 2]),
        helper.make_node("Unsqueeze", ["m", "one"], ["column"]),
        helper.make_node("Greater", ["column", "zero"], ["yes"]),
        helper.make_node("Shape", ["m"], ["n"]),
        helper.make_node("Concat", ["n", "width"], ["shape"], axis=0),
        helper.make_node("Expand", ["yes", "shape"], ["score"]),
    ]
    constants = (constant("zero", 0, np.float32), constant("one", [1]), constant("width", [1 << 22]))
    content = over_events(nodes, value("score", BOOL, ["n", "k"]), *constants)
    found = refusal(content, Limits(max_model_memory_bytes=512 << 20))
    assert (type(found), found.reason) == (DoesNotFit, "MODEL_OUTPUT_TOO_LARGE")
    assert f"{64 << 20} bytes in float64" in found.message


def test_a_large_fixed_batch_is_not_run_on_long_sequences() -> None:
    """A million rows of 1,000 events each would take 16 GB, whichever length the model wants."""
    nodes = [
        helper.make_node("Slice", ["events", "start", "end", "axis"], ["late"]),
        helper.make_node("Reshape", ["late", "shape"], ["whole"]),
        reduced("whole", "score", [1, 2]),
    ]
    batch = (1 << 20) + 1  # so many that of the lengths tried only the shortest is run
    content = model(
        nodes,
        [value("events", FLOAT, [batch, "l", 4])],
        [value("score", FLOAT, [batch])],
        [
            constant("start", [10]),
            constant("end", [13]),
            constant("axis", [1]),
            constant("shape", [batch, 3, 4]),
        ],
    )
    found = refusal(content)
    assert (type(found), found.reason) == (DoesNotFit, "MODEL_FAILED")
    assert f"takes {batch} sequences in every call" in found.message


@pytest.mark.parametrize(("length", "schema"), [(8_000, b""), ("l", b'{"trial_length": 8000}')])
def test_a_model_is_not_tried_on_more_than_a_call_may_hold(length: int | str, schema: bytes) -> None:
    """Seven rows of 8,000 events and 4,000 columns would take 1.8 GB."""
    content = model(
        [reduced("events", "score", [1, 2])], [value("events", FLOAT, ["n", length, 4_000])], [SCORE]
    )
    with pytest.raises(InvalidInput) as caught:
        Loader().load("m", ModelBytes(content, schema, "onnx", "schema"))
    assert caught.value.reason == "MODEL_TOO_LARGE"
    assert "224000000 numbers (7 sequences of 8000 events and 4000 columns)" in caught.value.message
