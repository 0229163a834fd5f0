"""Batches as messages of the Open Inference Protocol, and answers as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as pb

from sequela.adapters.endpoints.oip import (
    DATATYPES,
    NUMPY_TYPES,
    Tensor,
    WrongAnswer,
    checked_output,
    echo_problem,
    input_signatures,
    output_index,
    output_signatures,
    versions_problem,
)
from sequela.adapters.endpoints.transport import Description, Feeds

Answer = pb.ModelInferResponse
Output = pb.ModelInferResponse.InferOutputTensor

TYPED: Mapping[str, str] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
"""The field that holds a datatype's elements where they do not come as bytes."""


def infer_request(name: str, version: str, feeds: Feeds, output: str) -> pb.ModelInferRequest:
    """A call: raw little-endian bytes in row-major order. Without an output all are asked for."""
    outputs = [pb.ModelInferRequest.InferRequestedOutputTensor(name=output)] if output else []
    request = pb.ModelInferRequest(model_name=name, model_version=version, outputs=outputs)
    for key, values in feeds.items():
        request.inputs.add(name=key, datatype=DATATYPES[values.dtype.name], shape=values.shape)
        request.raw_input_contents.append(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return request


def read_description(name: str, version: str, metadata: pb.ModelMetadataResponse) -> Description:
    """What the server says of the model.

    Raises WrongAnswer for another model or version, DoesNotFit (MODEL_INPUT_UNSUPPORTED).
    """
    versions = tuple(metadata.versions)
    problem = echo_problem(name, "", metadata.name, "") or versions_problem(version, versions)
    if problem:
        raise WrongAnswer(problem)
    inputs = input_signatures(_tensor(tensor) for tensor in metadata.inputs)
    outputs = output_signatures(_tensor(tensor) for tensor in metadata.outputs)
    return Description(inputs, outputs, versions, metadata.platform)


def read_output(request: pb.ModelInferRequest, answer: Answer, output: str) -> NDArray[np.float64]:
    """The output (n, …) of the request's n rows. Raises WrongAnswer."""
    problem = echo_problem(request.model_name, request.model_version, answer.model_name, answer.model_version)
    if problem:
        raise WrongAnswer(problem)
    index = output_index([(tensor.name, tensor.datatype) for tensor in answer.outputs], output)
    tensor = answer.outputs[index]
    values = _raw(answer, index) if answer.raw_output_contents else _typed(tensor)
    return checked_output(tensor.name, values, tuple(tensor.shape), request.inputs[0].shape[0])


def _tensor(metadata: pb.ModelMetadataResponse.TensorMetadata) -> Tensor:
    return Tensor(metadata.name, metadata.datatype, tuple(metadata.shape))


def _raw(answer: Answer, index: int) -> NDArray[Any]:
    """The elements (size,) of an output that comes as bytes."""
    tensor, contents = answer.outputs[index], answer.raw_output_contents
    if len(contents) != len(answer.outputs):
        raise WrongAnswer(f"it has {len(answer.outputs)} outputs and bytes of {len(contents)}")
    if tensor.contents.ByteSize():  # MLServer sends an empty one beside the bytes
        raise WrongAnswer(f"output {tensor.name!r} comes as bytes and as numbers")
    dtype = _numpy_type(tensor)
    if len(contents[index]) % dtype.itemsize:
        text = f"{len(contents[index])} bytes for elements of {dtype.itemsize}"
        raise WrongAnswer(f"output {tensor.name!r} ({tensor.datatype}) has {text}")
    return np.frombuffer(contents[index], dtype)


def _typed(tensor: Output) -> NDArray[Any]:
    """The elements (size,) of an output that comes as numbers."""
    dtype = _numpy_type(tensor)
    if tensor.datatype not in TYPED:
        raise WrongAnswer(f"output {tensor.name!r} ({tensor.datatype}) does not come as bytes")
    return np.array(getattr(tensor.contents, TYPED[tensor.datatype]), dtype.type)


def _numpy_type(tensor: Output) -> np.dtype[Any]:
    if tensor.datatype not in NUMPY_TYPES:
        raise WrongAnswer(f"output {tensor.name!r} holds {tensor.datatype}, not numbers")
    return np.dtype(NUMPY_TYPES[tensor.datatype]).newbyteorder("<")
