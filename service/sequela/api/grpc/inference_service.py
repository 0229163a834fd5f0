"""GRPCInferenceService: the Open Inference Protocol over gRPC."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.inference import open_inference_pb2_grpc as rpc

from sequela.api.grpc.context import Context, call_deadline
from sequela.api.inference.model_choice import model_choice
from sequela.api.inference.open_inference import SERVER_NAME, InferenceAnswer, InferRequest, OpenInference
from sequela.errors import InvalidInput, Unsupported
from sequela.oip.datatypes import SCHEMA_DATATYPES
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.messages import read_inputs, write_raw_outputs, write_typed_outputs
from sequela.oip.metadata import write_metadata


class InferenceService(rpc.GRPCInferenceServiceServicer):
    """Scores and explains batches."""

    def __init__(self, inference: OpenInference) -> None:
        self._inference = inference
        self._policy = inference.dataplane.policy

    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> oip.ServerLiveResponse:
        """Returns True, since the server is able to respond."""
        return oip.ServerLiveResponse(live=True)

    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> oip.ServerReadyResponse:
        """Returns whether the server accepts calls, as the health service does."""
        return oip.ServerReadyResponse(ready=not self._inference.not_ready())

    async def ServerMetadata(
        self, request: oip.ServerMetadataRequest, context: Context
    ) -> oip.ServerMetadataResponse:
        """Returns the server's name and version."""
        return oip.ServerMetadataResponse(name=SERVER_NAME, version=self._inference.version)

    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> oip.ModelReadyResponse:
        """Returns whether a model can be explained at present."""
        choice = model_choice(request.name, request.version, "name")
        deadline = call_deadline(self._policy, context)
        problem = await self._inference.dataplane.model_problem(choice, deadline)
        return oip.ModelReadyResponse(ready=problem is None)

    async def ModelMetadata(
        self, request: oip.ModelMetadataRequest, context: Context
    ) -> oip.ModelMetadataResponse:
        """Returns a model's metadata: its tensors."""
        choice = model_choice(request.name, request.version, "name")
        found = await self._inference.metadata(request.name, choice, call_deadline(self._policy, context))
        return write_metadata(found)

    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        """Explains the rows of a batch."""
        choice = model_choice(request.model_name, request.model_version, "model_name")
        read, encode = partial(_request, request), partial(_response, request)
        return await self._inference.infer(choice, read, encode, call_deadline(self._policy, context))

    async def ModelConfig(self, request: oip.ModelConfigRequest, context: Context) -> oip.ModelConfigResponse:
        """Raises Unsupported, because only Triton has this call."""
        raise Unsupported(
            "MODEL_CONFIG_UNSUPPORTED", "ModelConfig is an extension of Triton's; use ModelMetadata instead"
        )


def _request(message: oip.ModelInferRequest) -> InferRequest:
    """Decodes a request. Raises InvalidInput."""
    try:
        inputs = read_inputs(message, SCHEMA_DATATYPES)
    except InvalidTensor as error:
        raise InvalidInput.at(error.field, error.reason, error.description) from None
    parameters = {key: _value(each) for key, each in message.parameters.items()}
    return InferRequest(message.id, inputs, [each.name for each in message.outputs], parameters)


def _value(parameter: oip.InferParameter) -> Any:
    field = parameter.WhichOneof("parameter_choice")
    return getattr(parameter, field) if field else None


def _response(request: oip.ModelInferRequest, answer: InferenceAnswer) -> oip.ModelInferResponse:
    """Encodes an answer.

    Elements are sent as raw bytes if the request did so. The parameter `targets` is a JSON list.
    """
    response = oip.ModelInferResponse(
        model_name=request.model_name, model_version=answer.model_version, id=answer.id
    )
    response.parameters["targets"].string_param = json.dumps(answer.targets)
    write = write_raw_outputs if request.raw_input_contents else write_typed_outputs
    write(response, answer.outputs)
    return response
