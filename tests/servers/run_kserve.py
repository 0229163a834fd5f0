"""Serves ONNX models with KServe's ModelServer: V1 and V2 over HTTP, V2 over gRPC."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.errors import InferenceError
from onnx_models import Arrays, OnnxModel, arguments, end_with_parent


class Served(Model):  # type: ignore[misc]
    """One ONNX model. In V1, an instance is the value of the input, or an object of values by name if there are
    several. A prediction is the value of the output, or such an object.
    """

    def __init__(self, model: OnnxModel, delay: float) -> None:
        super().__init__(model.name)
        self._model = model
        self._delay = delay
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        return [each.as_dict() for each in self._model.inputs]

    def get_output_types(self) -> list[dict[str, Any]]:
        return [each.as_dict() for each in self._model.outputs]

    async def predict(
        self, payload: dict[str, Any] | InferRequest, headers: dict[str, str] | None = None
    ) -> dict[str, Any] | InferResponse:
        await asyncio.sleep(self._delay)
        try:
            return self._v1(payload) if isinstance(payload, dict) else self._v2(payload)
        except Exception as wrong:  # as KServe's own runtimes do, so that callers see the error
            raise InferenceError(str(wrong)) from wrong

    def _v1(self, payload: dict[str, Any]) -> dict[str, Any]:
        inputs, instances = self._model.inputs, payload["instances"]
        if len(inputs) == 1:
            arrays = {inputs[0].name: np.array(instances, inputs[0].dtype)}
        else:
            arrays = {i.name: np.array([row[i.name] for row in instances], i.dtype) for i in inputs}
        outputs = {name: values.tolist() for name, values in self._model(arrays).items()}
        if len(outputs) == 1:
            return {"predictions": next(iter(outputs.values()))}
        return {
            "predictions": [
                dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)
            ]
        }

    def _v2(self, payload: InferRequest) -> InferResponse:
        arrays: Arrays = {each.name: each.as_numpy() for each in payload.inputs}
        outputs = [_output(payload, name, values) for name, values in self._model(arrays).items()]
        answer = payload.id or str(uuid.uuid4())  # KServe does not send an answer without an id
        return InferResponse(answer, self.name, outputs, use_binary_outputs=payload.use_binary_outputs)


def _output(payload: InferRequest, name: str, values: np.ndarray[Any, Any]) -> InferOutput:
    datatype = {"float32": "FP32", "float64": "FP64"}[values.dtype.name]
    output = InferOutput(name, list(values.shape), datatype)
    output.set_data_from_numpy(values, binary_data=payload.use_binary_outputs)
    return output


def main() -> None:
    """Serves until it is terminated."""
    given = arguments()
    end_with_parent()
    server = ModelServer(http_port=given.http_port, grpc_port=given.grpc_port, grace_period=1)
    server.start([Served(model, given.delay) for model in given.models])


if __name__ == "__main__":
    main()
