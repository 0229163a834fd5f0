"""AccessService: tells callers how the server identifies them."""

from __future__ import annotations

from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela.api.access_record import current_caller
from sequela.api.encode.callers import caller
from sequela.api.grpc.context import Context


class AccessService(rpc.AccessServiceServicer):
    """Answers from the record of the request, so that the answer is what the permissions were checked with."""

    async def GetCaller(self, request: pb.GetCallerRequest, context: Context) -> pb.GetCallerResponse:
        """Returns the caller of this request."""
        return pb.GetCallerResponse(caller=caller(current_caller()))
