"""BackgroundService: named backgrounds, kept for reuse."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.deadline_policy import Context, DeadlinePolicy, in_time
from sequela.api.executors import Executors
from sequela.api.grpc.background_upload import BackgroundUpload
from sequela.api.grpc.decode import pages
from sequela.api.grpc.decode.violations import Violations
from sequela.api.grpc.encode.backgrounds import line, whole
from sequela.explain.limits import Limits
from sequela.explain.ports import Backgrounds, Models


class BackgroundService(rpc.BackgroundServiceServicer):
    """Creates, gives, lists and deletes backgrounds."""

    def __init__(
        self,
        backgrounds: Backgrounds,
        models: Models,
        executors: Executors,
        policy: DeadlinePolicy,
        limits: Limits,
    ) -> None:
        self._backgrounds = backgrounds
        self._models = models
        self._executor = executors.lookup
        self._policy = policy
        self._limits = limits

    async def CreateBackground(
        self, request_iterator: AsyncIterator[pb.CreateBackgroundRequest], context: Context
    ) -> pb.CreateBackgroundResponse:
        """Creates a background from a matrix or from sequences, each of which is averaged in as it comes."""
        deadline = self._policy.deadline(context)
        messages = in_time(request_iterator, deadline)
        first = await anext(messages, None)
        gathering = await self._executor.run(
            functools.partial(BackgroundUpload, first, self._models, self._limits, deadline.end), deadline
        )
        async for message in messages:
            await self._executor.run(functools.partial(gathering.take, message), deadline)
        return await self._executor.run(functools.partial(self._create, gathering), deadline)

    async def GetBackground(
        self, request: pb.GetBackgroundRequest, context: Context
    ) -> pb.GetBackgroundResponse:
        """Gives a background with its values."""
        deadline = self._policy.deadline(context)
        return await self._executor.run(functools.partial(self._get, request), deadline)

    async def ListBackgrounds(
        self, request: pb.ListBackgroundsRequest, context: Context
    ) -> pb.ListBackgroundsResponse:
        """Lists backgrounds by name, without their values."""
        deadline = self._policy.deadline(context)
        return await self._executor.run(functools.partial(self._list, request), deadline)

    async def DeleteBackground(
        self, request: pb.DeleteBackgroundRequest, context: Context
    ) -> pb.DeleteBackgroundResponse:
        """Deletes a background."""
        deadline = self._policy.deadline(context)
        return await self._executor.run(functools.partial(self._delete, request), deadline)

    def _create(self, gathering: BackgroundUpload) -> pb.CreateBackgroundResponse:
        return pb.CreateBackgroundResponse(background=whole(self._backgrounds.create(gathering.finish())))

    def _get(self, request: pb.GetBackgroundRequest) -> pb.GetBackgroundResponse:
        found = self._backgrounds.get(pages.background_name(request.name))
        return pb.GetBackgroundResponse(background=whole(found))

    def _list(self, request: pb.ListBackgroundsRequest) -> pb.ListBackgroundsResponse:
        found = Violations()
        asked = pages.page(request, found)
        model = pages.model_filter(request.model, found)
        found.raise_any()
        page = self._backgrounds.list(model, asked.size, asked.token)
        return pb.ListBackgroundsResponse(backgrounds=map(line, page.items), next_page_token=page.next_token)

    def _delete(self, request: pb.DeleteBackgroundRequest) -> pb.DeleteBackgroundResponse:
        self._backgrounds.delete(pages.background_name(request.name))
        return pb.DeleteBackgroundResponse()
