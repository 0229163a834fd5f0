"""Reads and writes tensors in the protocol's messages, `ModelInferRequest` and `ModelInferResponse`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sequela_proto.inference import open_inference_pb2 as pb

from sequela.oip.datatypes import Datatype
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.tensors import (
    Array,
    Tensor,
    accepted_datatype,
    array_from_raw,
    array_from_typed,
    check_only_contents,
    check_shape,
    known_datatype,
    raw_contents,
    reshape_elements,
    typed_contents,
)

InputTensor = pb.ModelInferRequest.InferInputTensor
OutputTensor = pb.ModelInferResponse.InferOutputTensor


def read_inputs(request: pb.ModelInferRequest, datatypes: Mapping[str, Datatype]) -> tuple[Tensor, ...]:
    """Reads the inputs of a request, which must have these datatypes.

    Raises:
        InvalidTensor: With a field of the request. TENSOR_DTYPE, TENSOR_SHAPE (no axis, or one below 1), TENSOR_SIZE
            (elements do not fill the shape), TENSOR_ELEMENTS (elements are missing, in a wrong field, or sent twice),
            TENSOR_VALUE.
    """
    # Elements are raw for all inputs of a request, or for none.
    raw: Sequence[bytes | None] = request.raw_input_contents or [None] * len(request.inputs)
    if len(raw) != len(request.inputs):
        text = f"has {len(raw)} entries for {len(request.inputs)} inputs; send one for each, or none"
        raise InvalidTensor("raw_input_contents", "TENSOR_ELEMENTS", text)
    return tuple(
        _input(tensor, content, datatypes, f"inputs[{index}]")
        for index, (tensor, content) in enumerate(zip(request.inputs, raw, strict=True))
    )


def read_output(response: pb.ModelInferResponse, index: int) -> Array:
    """Reads the values of one output of a response, which must hold numbers. An axis may have a size of 0.

    Raises:
        InvalidTensor: With a field of that output, as `read_inputs`. Typed elements in other fields than the
            datatype's are ignored.
    """
    output, raw = response.outputs[index], response.raw_output_contents
    # Servers differ in what they leave beside the elements, so that an output is read more leniently than an input.
    datatype = known_datatype(output.datatype)
    if not raw:
        elements = array_from_typed(output.contents, datatype)
    # Raw contents are sent for all outputs or for none.
    elif len(raw) == len(response.outputs):
        elements = _from_raw(raw[index], output, datatype)
    else:
        text = f"is one of {len(response.outputs)} outputs, but there are raw contents of {len(raw)}"
        raise InvalidTensor("", "TENSOR_ELEMENTS", text)
    return reshape_elements(elements, output.shape)


def write_raw_inputs(request: pb.ModelInferRequest, tensors: Iterable[Tensor]) -> None:
    """Adds tensors with raw contents."""
    for tensor in tensors:
        request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        request.raw_input_contents.append(raw_contents(tensor))


def write_raw_outputs(response: pb.ModelInferResponse, tensors: Iterable[Tensor]) -> None:
    """Adds tensors with raw contents."""
    for tensor in tensors:
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        response.raw_output_contents.append(raw_contents(tensor))


def write_typed_outputs(response: pb.ModelInferResponse, tensors: Iterable[Tensor]) -> None:
    """Adds tensors with typed contents."""
    for tensor in tensors:
        contents = typed_contents(tensor)
        response.outputs.add(
            name=tensor.name, datatype=tensor.datatype, shape=tensor.shape, contents=contents
        )


def _input(tensor: InputTensor, raw: bytes | None, datatypes: Mapping[str, Datatype], path: str) -> Tensor:
    try:
        datatype = accepted_datatype(tensor.datatype, datatypes)
        check_shape(tensor.shape)
        if raw is None:
            check_only_contents(tensor.contents, datatype)
            elements = array_from_typed(tensor.contents, datatype)
        else:
            elements = _from_raw(raw, tensor, datatype)
        return Tensor(tensor.name, tensor.datatype, reshape_elements(elements, tensor.shape))
    except InvalidTensor as error:
        raise error.below(path) from None


def _from_raw(raw: bytes, tensor: InputTensor | OutputTensor, datatype: Datatype) -> Array:
    if tensor.contents.ByteSize():  # MLServer sends empty contents beside the bytes
        text = "comes as bytes and as numbers; send the elements once"
        raise InvalidTensor("contents", "TENSOR_ELEMENTS", text)
    return array_from_raw(raw, datatype)
