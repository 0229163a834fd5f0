"""Writes calls and reads answers of the Open Inference Protocol over gRPC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sequela_proto.inference import open_inference_pb2 as pb

from sequela.adapters.endpoints.answers import WrongAnswer, output_index, output_rows, valid_tensor
from sequela.adapters.endpoints.signatures import description
from sequela.adapters.endpoints.transport import Description, Feeds
from sequela.oip import messages
from sequela.oip.metadata import model_mismatch, read_metadata, version_missing
from sequela.oip.tensors import named_tensors


def infer_request(name: str, version: str, feeds: Feeds, output: str) -> pb.ModelInferRequest:
    """Makes a call with raw contents.

    Args:
        name: The model's name.
        version: The model's version; empty for the one that the server chooses.
        feeds: Arrays (n, …) by input name.
        output: The output to return; empty for all.
    """
    outputs = [pb.ModelInferRequest.InferRequestedOutputTensor(name=output)] if output else []
    request = pb.ModelInferRequest(model_name=name, model_version=version, outputs=outputs)
    messages.write_raw_inputs(request, named_tensors(feeds))
    return request


def read_description(name: str, version: str, message: pb.ModelMetadataResponse) -> Description:
    """Reads a server's description of a model from its metadata.

    Raises:
        WrongAnswer: The metadata is of another model, or does not list the version.
        DoesNotFit: MODEL_INPUT_UNSUPPORTED, as `description`.
    """
    metadata = read_metadata(message)
    problem = model_mismatch(name, "", metadata.name, "") or version_missing(version, metadata.versions)
    if problem:
        raise WrongAnswer(f"its metadata {problem}")
    return description(metadata)


def read_output(
    request: pb.ModelInferRequest, answer: pb.ModelInferResponse, output: str
) -> NDArray[np.float64]:
    """Reads the values (n, …) of one output for the request's n rows. `output` is as in `output_index`.

    Raises:
        WrongAnswer: The answer is from another model or version, breaks the protocol, or is not for n rows.
    """
    problem = model_mismatch(
        request.model_name, request.model_version, answer.model_name, answer.model_version
    )
    if problem:
        raise WrongAnswer(f"the answer {problem}")
    index = output_index([(tensor.name, tensor.datatype) for tensor in answer.outputs], output)
    name = answer.outputs[index].name
    with valid_tensor(name):
        values = messages.read_output(answer, index)
    return output_rows(name, values, request.inputs[0].shape[0])
