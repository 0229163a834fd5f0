"""Serves ONNX models with MLServer: V2 over HTTP and gRPC. It works in the current folder."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor
from onnx_models import OnnxModel, Tensor, arguments, end_with_parent


class Served(MLModel):  # type: ignore[misc]
    """One ONNX model. MLServer creates it from its settings, so the loaded models are kept in the class."""

    loaded: ClassVar[dict[str, OnnxModel]] = {}
    delay: ClassVar[float] = 0.0

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        await asyncio.sleep(self.delay)
        arrays = {each.name: self.decode(each, NumpyCodec) for each in payload.inputs}
        outputs = self.loaded[self.name](arrays)
        encoded = [NumpyCodec.encode_output(name, values) for name, values in outputs.items()]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=encoded)


def settings(model: OnnxModel) -> ModelSettings:
    """Returns MLServer's settings of a model."""
    return ModelSettings(
        name=model.name,
        implementation=Served,
        platform="onnx",
        inputs=[_metadata(each) for each in model.inputs],
        outputs=[_metadata(each) for each in model.outputs],
        parameters=ModelParameters(version="1"),
    )


def _metadata(tensor: Tensor) -> MetadataTensor:
    described: dict[str, Any] = tensor.as_dict()
    return MetadataTensor(**described)


async def serve() -> None:
    """Serves until it is terminated."""
    given = arguments()
    Served.delay = given.delay
    Served.loaded.update({model.name: model for model in given.models})
    end_with_parent()
    server = MLServer(
        Settings(
            debug=False,
            host="127.0.0.1",
            http_port=given.http_port,
            grpc_port=given.grpc_port,
            metrics_endpoint=None,
            parallel_workers=0,  # everything runs in this process
        )
    )
    await server.start([settings(model) for model in given.models])


if __name__ == "__main__":
    asyncio.run(serve())
