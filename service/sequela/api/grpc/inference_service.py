"""GRPCInferenceService: every model that can be explained, to callers of the Open Inference Protocol."""

from __future__ import annotations

from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.inference import open_inference_pb2_grpc as rpc

from sequela.api.deadline_policy import Context, DeadlinePolicy
from sequela.api.inference.open_inference import OpenInference
from sequela.errors import Unsupported


class InferenceService(rpc.GRPCInferenceServiceServicer):
    """Scores and explains batches."""

    def __init__(self, inference: OpenInference, policy: DeadlinePolicy) -> None:
        self._inference = inference
        self._policy = policy

    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> oip.ServerLiveResponse:
        """It answers, so it lives."""
        return oip.ServerLiveResponse(live=True)

    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> oip.ServerReadyResponse:
        """Whether it takes calls, as health says too."""
        return oip.ServerReadyResponse(ready=not self._inference.about.not_ready())

    async def ServerMetadata(
        self, request: oip.ServerMetadataRequest, context: Context
    ) -> oip.ServerMetadataResponse:
        """Name and version."""
        return self._inference.about.metadata()

    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> oip.ModelReadyResponse:
        """Whether a model is loaded."""
        ready = await self._inference.ready(request.name, request.version, self._policy.deadline(context))
        return oip.ModelReadyResponse(ready=ready)

    async def ModelMetadata(
        self, request: oip.ModelMetadataRequest, context: Context
    ) -> oip.ModelMetadataResponse:
        """A model's tensors."""
        return await self._inference.metadata(request.name, request.version, self._policy.deadline(context))

    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        """Explains the rows of a batch."""
        return await self._inference.infer(request, self._policy.deadline(context))

    async def ModelConfig(self, request: oip.ModelConfigRequest, context: Context) -> oip.ModelConfigResponse:
        """Triton's own."""
        raise Unsupported(
            "MODEL_CONFIG_UNSUPPORTED", "ModelConfig is Triton's own; ModelMetadata says what there is"
        )
