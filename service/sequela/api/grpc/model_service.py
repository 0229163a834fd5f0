"""ModelService: decodes requests for the catalog and encodes its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.catalog import Catalog
from sequela.api.deadline_policy import DeadlinePolicy, read_within
from sequela.api.encode.models import model, models
from sequela.api.grpc.context import Context, call_deadline
from sequela.api.grpc.decode import models as decode
from sequela.api.grpc.decode.pages import page
from sequela.api.violations import Violations


class ModelService(rpc.ModelServiceServicer):
    """Registers, describes, lists and deletes models."""

    def __init__(self, catalog: Catalog, policy: DeadlinePolicy) -> None:
        self._catalog = catalog
        self._policy = policy

    async def RegisterModel(
        self, request_iterator: AsyncIterator[pb.RegisterModelRequest], context: Context
    ) -> pb.RegisterModelResponse:
        """Uploads an ONNX model."""
        deadline = call_deadline(self._policy, context)
        upload = await decode.model_upload(read_within(request_iterator, deadline), self._catalog.limits)
        found = await self._catalog.register_model(upload, model, deadline)
        return pb.RegisterModelResponse(model=found)

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """Describes a model."""
        name = decode.model_name(request.name)
        found = await self._catalog.get_model(name, model, call_deadline(self._policy, context))
        return pb.GetModelResponse(model=found)

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """Lists models by name."""
        violations = Violations()
        wanted_page = page(request, violations)
        violations.raise_any()
        return await self._catalog.list_models(wanted_page, models, call_deadline(self._policy, context))

    async def DeleteModel(self, request: pb.DeleteModelRequest, context: Context) -> pb.DeleteModelResponse:
        """Deletes an uploaded model."""
        name = decode.model_name(request.name)
        await self._catalog.delete_model(name, call_deadline(self._policy, context))
        return pb.DeleteModelResponse()
