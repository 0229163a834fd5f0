"""Batches as messages of the Open Inference Protocol, and answers as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as pb

from sequela.adapters.endpoints.answers import WrongAnswer, output_index, output_rows, valid_tensor
from sequela.adapters.endpoints.feed_tensors import feed_tensors
from sequela.adapters.endpoints.signatures import description
from sequela.adapters.endpoints.transport import Description, Feeds
from sequela.oip.messages import read_output as read_output_array
from sequela.oip.messages import write_raw_inputs
from sequela.oip.metadata import model_mismatch, read_metadata, version_missing


def infer_request(name: str, version: str, feeds: Feeds, output: str) -> pb.ModelInferRequest:
    """A call: raw little-endian bytes in row-major order. Without an output all are asked for."""
    outputs = [pb.ModelInferRequest.InferRequestedOutputTensor(name=output)] if output else []
    request = pb.ModelInferRequest(model_name=name, model_version=version, outputs=outputs)
    write_raw_inputs(request, feed_tensors(feeds))
    return request


def read_description(name: str, version: str, message: pb.ModelMetadataResponse) -> Description:
    """What the server says of the model.

    Raises WrongAnswer for another model or version, DoesNotFit (MODEL_INPUT_UNSUPPORTED).
    """
    metadata = read_metadata(message)
    problem = model_mismatch(name, "", metadata.name, "") or version_missing(version, metadata.versions)
    if problem:
        raise WrongAnswer(problem)
    return description(metadata)


def read_output(
    request: pb.ModelInferRequest, answer: pb.ModelInferResponse, output: str
) -> NDArray[np.float64]:
    """The output (n, …) of the request's n rows. Raises WrongAnswer."""
    problem = model_mismatch(
        request.model_name, request.model_version, answer.model_name, answer.model_version
    )
    if problem:
        raise WrongAnswer(problem)
    index = output_index([(tensor.name, tensor.datatype) for tensor in answer.outputs], output)
    name = answer.outputs[index].name
    with valid_tensor(name):
        values = read_output_array(answer, index)
    return output_rows(name, values, request.inputs[0].shape[0])
