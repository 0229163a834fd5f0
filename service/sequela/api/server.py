"""The server: starts the gRPC and HTTP servers, and drains them on shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sequela.api.access_control import NO_CONTROL, AccessControl
from sequela.api.drain_gate import DrainGate
from sequela.api.executors import Executors
from sequela.api.grpc.interceptor import CallInterceptor
from sequela.api.grpc.listener import GrpcListener
from sequela.api.grpc.message_reader import MessageReader
from sequela.api.grpc.services import Service
from sequela.api.grpc.unknown_methods import aio_server
from sequela.api.http_server import HttpServer
from sequela.api.readiness import Readiness
from sequela.concurrency.deadline import Deadline
from sequela.explain.ports import Observer
from sequela.spans import NO_SPANS, RequestSpans

WORK_SHARE = 0.8
"""Work gets a deadline at this share of the grace period. The rest is for its last batch, solving and sending."""

STATUS_SECONDS = 1.0
"""Time after the grace period for sending the last statuses, in seconds. After that, gRPC cancels calls without one."""

ENDED_POLL_SECONDS = 60.0
"""Time limit of one wait for the end of gRPC, in seconds, which is then repeated. The end itself is noticed at once."""


@dataclass(frozen=True, slots=True)
class DrainTimes:
    """The times of a drain: `delay_seconds` for load balancers to notice, `grace_seconds` for calls to finish."""

    delay_seconds: float
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class BoundAddresses:
    """The bound addresses, with their actual ports."""

    grpc: str
    http: str


class Server:
    """The gRPC and HTTP servers. It must be created in the event loop that runs it."""

    def __init__(
        self,
        listener: GrpcListener,
        services: Sequence[Service],
        executors: Executors,
        readiness: Readiness,
        http: HttpServer,
        observer: Observer,
        gate: DrainGate,
        reader: MessageReader,
        access: AccessControl = NO_CONTROL,
        spans: RequestSpans = NO_SPANS,
    ) -> None:
        self._listener = listener
        self._executors = executors
        self._readiness = readiness
        self._http = http
        self._follow_task: asyncio.Task[None] | None = None
        self._gate = gate
        interceptor = CallInterceptor(observer, gate, reader, access, spans)
        self._grpc = aio_server([interceptor], listener.options)
        for service in services:
            service.add(service.servicer, self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(readiness.servicer, self._grpc)
        names = [service.name for service in services]
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._grpc
        )

    async def open(self) -> BoundAddresses:
        """Listens for gRPC and HTTP. Raises OSError if it cannot."""
        # Both ports are bound before any call is served, so that a port in use ends the start at once.
        bound = BoundAddresses(self._listener.bind(self._grpc), await self._http.open())
        self._follow_task = asyncio.create_task(self._readiness.follow())
        await self._grpc.start()
        return bound

    async def ready(self) -> None:
        """Waits until the server accepts calls."""
        await self._readiness.wait()

    async def grpc_ended(self) -> Exception | None:
        """Waits until gRPC serves no calls any more, and returns why, or None after a drain."""
        try:
            # With a time limit, because cancelling a wait without one would also cancel gRPC's own future.
            while await self._grpc.wait_for_termination(ENDED_POLL_SECONDS):
                pass
        except Exception as error:
            return error
        return None

    async def drain(self, times: DrainTimes) -> None:
        """Sets NOT_SERVING, waits, stops accepting work, lets calls conclude, ends all others, and closes.

        Running explanations conclude with the coalitions they have. Calls that cannot do so end with Unavailable
        (DRAINING).
        """
        if self._follow_task:
            self._follow_task.cancel()
        await self._readiness.leave()
        # Until load balancers notice NOT_SERVING, calls still arrive and are accepted.
        await asyncio.sleep(times.delay_seconds)
        # Work ends before the gate closes, so that its answers can still be sent.
        self._executors.close(Deadline.now() + WORK_SHARE * times.grace_seconds)
        self._gate.close_within(times.grace_seconds)
        # Watch calls never end by themselves, and would use up the grace period.
        self._readiness.servicer.dismiss()
        await self._grpc.stop(times.grace_seconds + STATUS_SECONDS)
        await self._gate.wait_empty()
        self._executors.shut_down()
        await self._http.close()
