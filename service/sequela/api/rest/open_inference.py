"""The Open Inference Protocol over REST."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import FailFast, Field, InstanceOf
from starlette.responses import Response
from starlette.routing import Route

from sequela.api.inference.open_inference import SERVER_NAME, InferenceAnswer, InferRequest, OpenInference
from sequela.api.rest.http_call import HttpCall
from sequela.api.rest.json_bodies import JsonBody, read_body
from sequela.api.rest.middleware import RouteFactory
from sequela.api.rest.responses import json_response, to_json
from sequela.errors import InvalidInput
from sequela.oip.datatypes import SCHEMA_DATATYPES
from sequela.oip.invalid_tensor import InvalidTensor
from sequela.oip.json_tensors import json_tensor, read_json_tensor
from sequela.oip.metadata import json_metadata
from sequela.oip.tensors import Tensor

MODELS = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")


class TensorBody(JsonBody):
    """An input. `data` may be nested or flat."""

    name: str
    shape: InstanceOf[list[Any]]
    datatype: str
    data: InstanceOf[list[Any]]
    parameters: Any = None


class OutputBody(JsonBody):
    """A requested output."""

    name: str
    parameters: Any = None


class InferBody(JsonBody):
    """A request. KServe's client repeats the model's name in it, but the name in the path is used."""

    id: str = ""
    inputs: Annotated[list[TensorBody], FailFast()]
    outputs: Annotated[list[OutputBody], FailFast()] = Field(default_factory=list)
    parameters: dict[str, Any] = Field(default_factory=dict)
    model_name: Any = None
    model_version: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenInferenceRest:
    """The handlers of the protocol."""

    inference: OpenInference

    def routes(self, factory: RouteFactory) -> Iterator[Route]:
        """Yields the routes of all paths."""
        yield factory.route("GET", "/v2", self.server)
        yield factory.route("GET", "/v2/health/live", self.live)
        yield factory.route("GET", "/v2/health/ready", self.ready)
        for model in MODELS:
            yield factory.route("GET", model, self.metadata)
            yield factory.route("GET", f"{model}/ready", self.model_ready)
            yield factory.route("POST", f"{model}/infer", self.infer)

    async def server(self, _: HttpCall) -> Response:
        """Returns the server's name and version."""
        found = {"name": SERVER_NAME, "version": self.inference.version, "extensions": []}
        return json_response(to_json(found))

    async def live(self, _: HttpCall) -> Response:
        """Returns true, since the server is able to respond."""
        return json_response(to_json({"live": True}))

    async def ready(self, _: HttpCall) -> Response:
        """Returns whether the server accepts calls."""
        ready = not self.inference.not_ready()
        return json_response(to_json({"ready": ready}), 200 if ready else 503)

    async def model_ready(self, call: HttpCall) -> Response:
        """Returns whether a model can be explained at present."""
        problem = await self.inference.dataplane.model_problem(call.model, call.deadline)
        found = {"name": call.model_name, "ready": problem is None}
        return json_response(to_json(found), 200 if problem is None else 503)

    async def metadata(self, call: HttpCall) -> Response:
        """Returns a model's metadata: its tensors."""
        found = await self.inference.metadata(call.model_name, call.model, call.deadline)
        return json_response(to_json(json_metadata(found)))

    async def infer(self, call: HttpCall) -> Response:
        """Explains, or only scores, the rows of a request."""
        read, encode = partial(_request, call.body), partial(_response, call.model_name)
        return json_response(await self.inference.infer(call.model, read, encode, call.deadline))


def _request(content: bytearray) -> InferRequest:
    body = read_body(content, InferBody)
    inputs = [_tensor(each, f"inputs[{index}]") for index, each in enumerate(body.inputs)]
    return InferRequest(body.id, inputs, [each.name for each in body.outputs], body.parameters)


def _tensor(body: TensorBody, path: str) -> Tensor:
    """Decodes an input. Raises InvalidInput."""
    for size in body.shape:
        # `isinstance` would accept booleans.
        if type(size) is not int:
            text = f"must be a list of whole numbers, but contains {str(size)[:40]!r}"
            raise InvalidInput.at(f"{path}.shape", "TENSOR_SHAPE", text)
    try:
        return read_json_tensor(body.name, body.datatype, body.shape, body.data, SCHEMA_DATATYPES)
    except InvalidTensor as error:
        below = error.below(path)
        raise InvalidInput.at(below.field, below.reason, below.description) from None


def _response(name: str, answer: InferenceAnswer) -> bytes:
    return to_json(
        {
            "model_name": name,
            "model_version": answer.model_version,
            "id": answer.id,
            "parameters": {"targets": json.dumps(answer.targets)},
            "outputs": [json_tensor(each) for each in answer.outputs],
        }
    )
