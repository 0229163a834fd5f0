"""The Open Inference Protocol's REST form: the same messages as by gRPC, written as JSON."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sequela_proto.inference import open_inference_pb2 as oip
from starlette.responses import Response
from starlette.routing import Route

from sequela.api.inference.error_paths import of_tensors
from sequela.api.inference.open_inference import OpenInference
from sequela.api.inference.tensors import DATATYPES
from sequela.api.rest.json_numbers import as_array
from sequela.api.rest.middleware import EveryRequest
from sequela.api.rest.request import Asked, kind, listed, mapping, parsed, text
from sequela.api.rest.responses import answer, written
from sequela.errors import InvalidInput

REQUEST = ("id", "parameters", "inputs", "outputs", "model_name", "model_version")
"""KServe's client repeats the model's name here; that in the path counts."""
TENSOR = ("name", "shape", "datatype", "parameters", "data")
OUTPUT = ("name", "parameters")
MODELS = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")


@dataclass(frozen=True, slots=True, eq=False)
class OpenInferenceRest:
    """The handlers of its paths."""

    protocol: OpenInference

    def routes(self, every: EveryRequest) -> Iterator[Route]:
        """All paths."""
        yield every.route("GET", "/v2", self.server)
        yield every.route("GET", "/v2/health/live", self.live)
        yield every.route("GET", "/v2/health/ready", self.ready)
        for model in MODELS:
            yield every.route("GET", model, self.metadata)
            yield every.route("GET", f"{model}/ready", self.model_ready)
            yield every.route("POST", f"{model}/infer", self.infer)

    async def server(self, _: Asked) -> Response:
        """Name and version."""
        said = self.protocol.about.metadata()
        return answer(written({"name": said.name, "version": said.version, "extensions": []}))

    async def live(self, _: Asked) -> Response:
        """It answers, so it lives."""
        return answer(written({"live": True}))

    async def ready(self, _: Asked) -> Response:
        """Whether it takes calls."""
        ready = not self.protocol.about.not_ready()
        return answer(written({"ready": ready}), 200 if ready else 503)

    async def model_ready(self, asked: Asked) -> Response:
        """Whether a model would be explained now."""
        ready = await self.protocol.ready(*asked.model, asked.deadline)
        return answer(written({"name": asked.model[0], "ready": ready}), 200 if ready else 503)

    async def metadata(self, asked: Asked) -> Response:
        """A model's tensors."""
        said = await self.protocol.metadata(*asked.model, asked.deadline)
        body: dict[str, Any] = {"name": said.name, "versions": [*said.versions], "platform": said.platform}
        for side in ("inputs", "outputs"):
            body[side] = [
                {"name": each.name, "datatype": each.datatype, "shape": [*each.shape]}
                for each in getattr(said, side)
            ]
        return answer(written(body))

    async def infer(self, asked: Asked) -> Response:
        """Explains, or only scores, the rows of a request."""
        inference = self.protocol.inference
        request = await inference.looked_up(functools.partial(self._read, asked), asked.deadline)
        response = await self.protocol.infer(request, asked.deadline)
        return answer(await inference.written(functools.partial(_response, response)))

    def _read(self, asked: Asked) -> oip.ModelInferRequest:
        """For a model that there is: a body without one is not parsed."""
        self.protocol.inference.model(*asked.model, of_tensors, asked.deadline.end)
        return _request(asked)


def _request(asked: Asked) -> oip.ModelInferRequest:
    body = parsed(asked.body, REQUEST)
    name, version = asked.model
    request = oip.ModelInferRequest(model_name=name, model_version=version, id=text(body.get("id", ""), "id"))
    for key, value in mapping(body.get("parameters", {}), "parameters", ()).items():
        _set(request.parameters[key], value, f"parameters.{key[:60]}")
    for index, each in enumerate(listed(body.get("inputs"), "inputs")):
        request.inputs.append(_tensor(each, f"inputs[{index}]"))
    for index, each in enumerate(listed(body.get("outputs", []), "outputs")):
        output = mapping(each, f"outputs[{index}]", OUTPUT)
        request.outputs.add(name=text(output.get("name"), f"outputs[{index}].name"))
    return request


def _tensor(given: Any, path: str) -> oip.ModelInferRequest.InferInputTensor:
    """A tensor with typed elements; its data may be nested or flat."""
    fields = mapping(given, path, TENSOR)
    tensor = oip.ModelInferRequest.InferInputTensor(
        name=text(fields.get("name"), f"{path}.name"),
        datatype=text(fields.get("datatype"), f"{path}.datatype"),
    )
    try:
        tensor.shape.extend(listed(fields.get("shape"), f"{path}.shape"))
    except (TypeError, ValueError) as error:
        raise InvalidInput.at(f"{path}.shape", "TENSOR_SHAPE", f"must be whole numbers: {error}") from None
    _fill(tensor, listed(fields.get("data"), f"{path}.data"), f"{path}.data")
    return tensor


def _fill(tensor: oip.ModelInferRequest.InferInputTensor, data: list[Any], path: str) -> None:
    """A type that is none is told where all tensors are checked."""
    if tensor.datatype not in DATATYPES:
        return
    try:
        values = as_array(data).ravel()
        _check_range(values, DATATYPES[tensor.datatype].dtype, tensor.datatype, path)
        held = getattr(tensor.contents, DATATYPES[tensor.datatype].contents)
        held.extend(values.tolist())
    except (TypeError, ValueError, OverflowError) as error:
        said = f"must be elements of {tensor.datatype}: {str(error)[:80]}"
        raise InvalidInput.at(path, "TENSOR_VALUE", said) from None


def _check_range(values: np.ndarray, dtype: np.dtype[Any], datatype: str, path: str) -> None:
    """Finite floats that FP32 does not hold would travel as infinity."""
    if dtype.kind != "f" or values.dtype.kind != "f":
        return
    limit = np.finfo(dtype).max
    too_large = np.isfinite(values) & (np.abs(values) > limit)
    if too_large.any():
        at = int(np.argmax(too_large))
        said = f"{values[at]} at [{at}] does not fit {datatype}, which ends at {limit:.5g}"
        raise InvalidInput.at(path.removesuffix(".data"), "TENSOR_NOT_FINITE", said)


def _set(parameter: oip.InferParameter, value: Any, path: str) -> None:
    try:
        match value:
            case bool():
                parameter.bool_param = value
            case int():
                parameter.int64_param = value
            case float():
                parameter.double_param = value
            case str():
                parameter.string_param = value
            case list():
                parameter.string_param = ",".join(map(str, value))
            case _:
                raise ValueError(f"must be a number, a text, a list, true or false, not {kind(value)}")
    except ValueError as error:
        raise InvalidInput.at(path, "PARAMETER_INVALID", str(error)) from None


def _response(response: oip.ModelInferResponse) -> bytes:
    parameters = {key: each.string_param for key, each in response.parameters.items()}
    return written(
        {
            "model_name": response.model_name,
            "model_version": response.model_version,
            "id": response.id,
            "parameters": parameters,
            "outputs": [
                {"name": each.name, "datatype": each.datatype, "shape": [*each.shape], "data": _data(each)}
                for each in response.outputs
            ],
        }
    )


def _data(tensor: oip.ModelInferResponse.InferOutputTensor) -> list[Any]:
    if tensor.datatype == "BYTES":
        return [each.decode() for each in tensor.contents.bytes_contents]
    return list(getattr(tensor.contents, DATATYPES[tensor.datatype].contents))
