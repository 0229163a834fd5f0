"""BackgroundService: decodes requests for the catalog and encodes its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.background_upload import wrong_order
from sequela.api.catalog import Catalog
from sequela.api.deadline_policy import DeadlinePolicy, read_within
from sequela.api.encode.backgrounds import background, backgrounds
from sequela.api.grpc.context import Context, call_deadline
from sequela.api.grpc.decode import backgrounds as decode
from sequela.api.grpc.decode.pages import page
from sequela.api.violations import Violations


class BackgroundService(rpc.BackgroundServiceServicer):
    """Creates, returns, lists and deletes backgrounds."""

    def __init__(self, catalog: Catalog, policy: DeadlinePolicy) -> None:
        self._catalog = catalog
        self._policy = policy
        self._limits = catalog.limits

    async def CreateBackground(
        self, request_iterator: AsyncIterator[pb.CreateBackgroundRequest], context: Context
    ) -> pb.CreateBackgroundResponse:
        """Creates a background from its values, or from sequences that are averaged as they arrive."""
        deadline = call_deadline(self._policy, context)
        messages = read_within(request_iterator, deadline)
        # `anext` returns None if the caller closed the stream without a message.
        header = decode.background_header(await anext(messages, None), self._limits)
        upload = await self._catalog.begin_background(header, deadline)
        async for message in messages:
            match message.WhichOneof("part"):
                case "values":
                    # Large messages take long to decode, so that happens in the executor's thread.
                    values = partial(decode.uploaded_values, message.values, self._limits)
                    await self._catalog.add_background_values(upload, values, deadline)
                case "sequence":
                    sequence = partial(decode.uploaded_sequence, message.sequence, self._limits)
                    await self._catalog.add_background_sequence(upload, sequence, deadline)
                case part:
                    raise wrong_order(part or "values")
        found = await self._catalog.create_background(upload, background, deadline)
        return pb.CreateBackgroundResponse(background=found)

    async def GetBackground(
        self, request: pb.GetBackgroundRequest, context: Context
    ) -> pb.GetBackgroundResponse:
        """Returns a background with its values."""
        name = decode.background_name(request.name)
        found = await self._catalog.get_background(name, background, call_deadline(self._policy, context))
        return pb.GetBackgroundResponse(background=found)

    async def ListBackgrounds(
        self, request: pb.ListBackgroundsRequest, context: Context
    ) -> pb.ListBackgroundsResponse:
        """Lists backgrounds by name, without their values."""
        violations = Violations()
        wanted_page = page(request, violations)
        model = decode.model_filter(request.model, violations)
        violations.raise_any()
        deadline = call_deadline(self._policy, context)
        return await self._catalog.list_backgrounds(model, wanted_page, backgrounds, deadline)

    async def DeleteBackground(
        self, request: pb.DeleteBackgroundRequest, context: Context
    ) -> pb.DeleteBackgroundResponse:
        """Deletes a background."""
        name = decode.background_name(request.name)
        await self._catalog.delete_background(name, call_deadline(self._policy, context))
        return pb.DeleteBackgroundResponse()
