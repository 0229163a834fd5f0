# ruff: noqa: N802 the methods have gRPC's names
"""A server that refuses the first calls as a busy server of ours does, and notes when calls arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from client.scripted import explanation
from sequela.api.errors import Failure, to_failure
from sequela.api.grpc.status import grpc_status, retry_pushback
from sequela.errors import SequelaError
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc


@dataclass
class BusyServer(rpc.ExplanationServiceServicer):
    """Raises the errors for the first calls, one each, and then answers."""

    errors: list[SequelaError]
    arrivals: list[float] = field(default_factory=list)

    def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.ExplainResponse:
        self.arrivals.append(time.monotonic())
        if self.errors:
            self._refuse(to_failure(self.errors.pop(0)), context)
        return pb.ExplainResponse(explanation=explanation(request, "default"))

    @staticmethod
    def _refuse(failure: Failure, context: Any) -> None:
        status: Any = grpc_status(failure)
        context.set_trailing_metadata((*status.trailing_metadata, *retry_pushback(failure)))
        context.abort(status.code, status.details)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serves on a free port of this machine, and yields the address."""
        server = grpc.server(ThreadPoolExecutor(4))
        rpc.add_ExplanationServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
