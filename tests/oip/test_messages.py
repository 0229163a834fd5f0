"""Tensors in messages, against an encoding made with `struct`, and back."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from oip.values import TYPED, Array, arrays, tensors
from sequela.oip.datatypes import DATATYPES
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.messages import (
    read_inputs,
    read_output,
    write_raw_inputs,
    write_raw_outputs,
    write_typed_outputs,
)
from sequela.oip.tensors import Tensor
from sequela_proto.inference import open_inference_pb2 as pb

FORMATS = {
    "BOOL": "?",
    **dict(zip(("INT8", "INT16", "INT32", "INT64"), "bhiq", strict=True)),
    **dict(zip(("UINT8", "UINT16", "UINT32", "UINT64"), "BHIQ", strict=True)),
    **dict(zip(("FP16", "FP32", "FP64"), "efd", strict=True)),
}
"""Each datatype's letter in `struct`, which writes little-endian where it is told to."""


def packed(tensor: Tensor) -> bytes:
    """Raw contents, element by element."""
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(text)) + text for text in tensor.values)
    letter = FORMATS[tensor.datatype]
    return b"".join(struct.pack(f"<{letter}", value) for value in np.ravel(tensor.values).tolist())


def same(found: Array, given: Array) -> None:
    """The same shape and values, NaN included, in the datatype's own byte order."""
    assert found.dtype == given.dtype.newbyteorder("<")
    np.testing.assert_array_equal(found, given)


@given(tensors(list(DATATYPES)))
def test_raw_contents(tensor: Tensor) -> None:
    """Are what the specification says, byte for byte; NaN may have any payload."""
    request, response = pb.ModelInferRequest(), pb.ModelInferResponse()
    write_raw_inputs(request, [tensor])
    write_raw_outputs(response, [tensor])
    assert request.raw_input_contents == response.raw_output_contents
    holds_nan = tensor.datatype.startswith("FP") and np.isnan(tensor.values).any()
    assert holds_nan or request.raw_input_contents == [packed(tensor)]
    for message in (request.inputs[0], response.outputs[0]):
        assert (message.name, message.datatype) == ("x", tensor.datatype)
        assert tuple(message.shape) == np.shape(tensor.values)


@given(arrays(list(DATATYPES)))
def test_raw_round_trip(drawn: tuple[str, Array]) -> None:
    """What is written raw is read as it was, among other tensors."""
    name, values = drawn
    sent = [Tensor("first", "FP32", np.zeros((1, 2), np.float32)), Tensor("x", name, values)]
    request, response = pb.ModelInferRequest(), pb.ModelInferResponse()
    write_raw_inputs(request, sent)
    write_raw_outputs(response, sent)
    found = read_inputs(request, DATATYPES)
    assert [(each.name, each.datatype) for each in found] == [("first", "FP32"), ("x", name)]
    same(np.asarray(found[1].values), values)
    same(read_output(response, 1), values)


@given(arrays(TYPED))
def test_typed_round_trip(drawn: tuple[str, Array]) -> None:
    """What is written typed stands in the field of its datatype, and is read as it was."""
    name, values = drawn
    response = pb.ModelInferResponse()
    write_typed_outputs(response, [Tensor("x", name, values)])
    output = response.outputs[0]
    ((field, elements),) = output.contents.ListFields()
    assert field.name == DATATYPES[name].contents_field
    np.testing.assert_array_equal(list(elements), values.ravel())
    same(read_output(response, 0), values)
    request = pb.ModelInferRequest()
    request.inputs.add(name="x", datatype=name, shape=values.shape, contents=output.contents)
    same(np.asarray(read_inputs(request, DATATYPES)[0].values), values)


def test_typed_strings() -> None:
    """Stand in the field of strings, with their number as the shape. FP16 cannot be written typed."""
    response = pb.ModelInferResponse()
    write_typed_outputs(response, [Tensor("x", "BYTES", [b"a", b""])])
    assert list(response.outputs[0].contents.bytes_contents) == [b"a", b""]
    assert list(response.outputs[0].shape) == [2]
    with pytest.raises(ValueError, match="FP16 has no typed contents"):
        write_typed_outputs(response, [Tensor("x", "FP16", np.zeros(2, np.float16))])


def request_of(raw: list[bytes] | None = None, **changed: Any) -> pb.ModelInferRequest:
    """Two numbers, typed unless raw, with fields changed."""
    fields: dict[str, Any] = {"name": "x", "datatype": "FP32", "shape": [2], **changed}
    if raw is None:
        fields.setdefault("contents", pb.InferTensorContents(fp32_contents=[1, 2]))
    request = pb.ModelInferRequest(raw_input_contents=raw or [])
    request.inputs.add(**fields)
    return request


def contents(**fields: Any) -> pb.InferTensorContents:
    return pb.InferTensorContents(**fields)


WRONG = {
    "strings": (request_of(datatype="BYTES"), "inputs[0].datatype", "TENSOR_DTYPE", "'BYTES'"),
    "no datatype": (request_of(datatype=""), "inputs[0].datatype", "TENSOR_DTYPE", "must be one of BOOL"),
    "no axis": (request_of(shape=[]), "inputs[0].shape", "TENSOR_SHAPE", "()"),
    "no rows": (request_of(shape=[0]), "inputs[0].shape", "TENSOR_SHAPE", "at least 1"),
    "negative sizes": (request_of(shape=[-2, -1]), "inputs[0].shape", "TENSOR_SHAPE", "(-2, -1)"),
    "too few": (request_of(shape=[3]), "inputs[0]", "TENSOR_SIZE", "has 2 values"),
    "too many": (request_of(shape=[1]), "inputs[0]", "TENSOR_SIZE", "has 2 values"),
    "a huge shape": (request_of(shape=[1 << 62, 1 << 62]), "inputs[0]", "TENSOR_SIZE", "2 values"),
    "odd bytes": (request_of([bytes(7)]), "inputs[0]", "TENSOR_SIZE", "7 bytes"),
    "too few bytes": (request_of([bytes(4)]), "inputs[0]", "TENSOR_SIZE", "1 values"),
    "two entries": (request_of([b"", b""]), "raw_input_contents", "TENSOR_ELEMENTS", "2 entries for 1"),
    "sent twice": (
        request_of([bytes(8)], contents=contents(fp32_contents=[1])),
        "inputs[0].contents",
        "TENSOR_ELEMENTS",
        "as bytes and as numbers",
    ),
    "no elements": (
        request_of(contents=contents()),
        "inputs[0].contents",
        "TENSOR_ELEMENTS",
        "no elements; FP32 takes fp32_contents",
    ),
    "the wrong field": (
        request_of(contents=contents(fp64_contents=[1, 2])),
        "inputs[0].contents",
        "TENSOR_ELEMENTS",
        "fp64_contents",
    ),
    "two fields": (
        request_of(contents=contents(fp32_contents=[1, 2], int_contents=[1])),
        "inputs[0].contents",
        "TENSOR_ELEMENTS",
        "int_contents and fp32_contents",
    ),
    "typed FP16": (request_of(datatype="FP16"), "inputs[0].contents", "TENSOR_ELEMENTS", "raw contents"),
    "beyond INT8": (
        request_of(datatype="INT8", contents=contents(int_contents=[300, 1])),
        "inputs[0].contents",
        "TENSOR_VALUE",
        "INT8",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_inputs(case: str) -> None:
    """Each is told by its field, its reason and words."""
    request, field, reason, words = WRONG[case]
    with pytest.raises(InvalidTensor) as caught:
        read_inputs(request, DATATYPES)
    assert (caught.value.field, caught.value.reason) == (field, reason)
    assert words in caught.value.description


def test_accepted_datatypes() -> None:
    """The reader of inputs says which it takes."""
    with pytest.raises(InvalidTensor, match=r"inputs\[0\]\.datatype: must be one of FP64, not 'FP32'"):
        read_inputs(request_of(), {"FP64": DATATYPES["FP64"]})


def test_empty_contents_beside_bytes() -> None:
    """MLServer sends them: they hold nothing."""
    request = request_of([np.array([1, 2], "<f4").tobytes()], contents=contents())
    np.testing.assert_array_equal(read_inputs(request, DATATYPES)[0].values, [1, 2])


def test_outputs_are_read_leniently() -> None:
    """Of other fields' contents nothing is said, and an axis may be 0: whoever asked for rows checks how many came."""
    response = pb.ModelInferResponse()
    both = contents(fp32_contents=[1, 2], int_contents=[1])
    response.outputs.add(name="x", datatype="FP32", shape=[2], contents=both)
    response.outputs.add(name="y", datatype="FP32", shape=[0, 3])
    np.testing.assert_array_equal(read_output(response, 0), [1, 2])
    assert read_output(response, 1).shape == (0, 3)


@pytest.mark.parametrize("datatype", ["BYTES", "FP8", ""])
def test_outputs_that_hold_no_numbers(datatype: str) -> None:
    """Cannot be read."""
    response = pb.ModelInferResponse()
    response.outputs.add(name="x", datatype=datatype, shape=[1])
    with pytest.raises(InvalidTensor, match="not numbers") as caught:
        read_output(response, 0)
    assert caught.value.reason == "TENSOR_DTYPE"
