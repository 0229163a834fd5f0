"""ModelService: the models that can be explained."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.deadline_policy import Context, DeadlinePolicy, in_time
from sequela.api.executors import Executors
from sequela.api.grpc.decode import pages
from sequela.api.grpc.decode.violations import Violations
from sequela.api.grpc.encode.models import model
from sequela.api.grpc.model_upload import ModelUpload, model_upload
from sequela.explain.limits import Limits
from sequela.explain.ports import Models


class ModelService(rpc.ModelServiceServicer):
    """Registers, describes, lists and deletes models."""

    def __init__(self, models: Models, executors: Executors, policy: DeadlinePolicy, limits: Limits) -> None:
        self._models = models
        self._executors = executors
        self._policy = policy
        self._limits = limits

    async def RegisterModel(
        self, request_iterator: AsyncIterator[pb.RegisterModelRequest], context: Context
    ) -> pb.RegisterModelResponse:
        """Uploads an ONNX model. Loading it takes the room of explanations, since it runs the model."""
        deadline = self._policy.deadline(context)
        upload = await model_upload(in_time(request_iterator, deadline), self._limits)
        return await self._executors.explain.run(functools.partial(self._register, upload), deadline)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Describes a model."""
        deadline = self._policy.deadline(context)
        return await self._executors.lookup.run(functools.partial(self._get, request), deadline)

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """Lists models by name."""
        deadline = self._policy.deadline(context)
        return await self._executors.lookup.run(functools.partial(self._list, request), deadline)

    async def DeleteModel(self, request: pb.DeleteModelRequest, context: Context) -> pb.DeleteModelResponse:
        """Deletes an uploaded model."""
        deadline = self._policy.deadline(context)
        return await self._executors.lookup.run(functools.partial(self._delete, request), deadline)

    def _register(self, upload: ModelUpload) -> pb.RegisterModelResponse:
        record = self._models.register(upload.name, upload.onnx(), upload.schema_json)
        return pb.RegisterModelResponse(model=model(record))

    def _get(self, request: pb.GetModelRequest) -> pb.GetModelResponse:
        return pb.GetModelResponse(model=model(self._models.get(pages.model_name(request.name))))

    def _list(self, request: pb.ListModelsRequest) -> pb.ListModelsResponse:
        found = Violations()
        asked = pages.page(request, found)
        found.raise_any()
        page = self._models.list(asked.size, asked.token)
        return pb.ListModelsResponse(models=map(model, page.items), next_page_token=page.next_token)

    def _delete(self, request: pb.DeleteModelRequest) -> pb.DeleteModelResponse:
        self._models.delete(pages.model_name(request.name))
        return pb.DeleteModelResponse()
