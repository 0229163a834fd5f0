"""The server: the gRPC door, the HTTP door beside it, and the way both close."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sequela.api.drain_gate import DrainGate
from sequela.api.executors import Executors
from sequela.api.grpc.interceptors import EveryCall
from sequela.api.grpc.listener import Listening
from sequela.api.grpc.services import Service
from sequela.api.http_server import HttpServer
from sequela.api.readiness import Readiness
from sequela.concurrency.deadline import Deadline
from sequela.explain.ports import Observer

# Work is told to conclude when this share of the grace is over: the rest is for the batch at hand, for solving, and
# for sending the answer.
WORKING_SHARE = 0.8

# Seconds past the grace for the last statuses to reach their callers; gRPC cancels without a word of explanation.
LAST_WORDS = 1.0


@dataclass(frozen=True, slots=True)
class Draining:
    """Seconds: balancers get the delay to notice, calls in flight the grace to finish."""

    delay: float
    grace: float


@dataclass(frozen=True, slots=True)
class Bound:
    """The addresses that were bound, with their real ports."""

    grpc: str
    http: str


class Server:
    """Opens, and drains. Made inside the event loop that runs it."""

    def __init__(
        self,
        listening: Listening,
        services: Sequence[Service],
        executors: Executors,
        readiness: Readiness,
        http: HttpServer,
        observer: Observer,
        closing: DrainGate,
    ) -> None:
        self._listening = listening
        self._executors = executors
        self._readiness = readiness
        self._http = http
        self._following: asyncio.Task[None] | None = None
        self._closing = closing
        every_call = EveryCall(observer, closing)
        self._grpc = grpc.aio.server(interceptors=[every_call], options=listening.options)
        for service in services:
            service.add(service.servicer, self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(readiness.servicer, self._grpc)
        names = [service.name for service in services]
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._grpc
        )

    async def open(self) -> Bound:
        """Listens on both doors. Raises OSError where it cannot."""
        bound = Bound(self._listening.bind(self._grpc), await self._http.open())
        self._following = asyncio.create_task(self._readiness.follow())
        await self._grpc.start()
        return bound

    async def ready(self) -> None:
        """Waits until the server takes calls."""
        if self._following:
            await asyncio.shield(self._following)

    async def drain(self, draining: Draining) -> None:
        """Says NOT_SERVING, waits, takes no more work, has calls conclude, ends the rest, and closes.

        Explanations at work conclude with what they have; what cannot hears Unavailable (DRAINING).
        """
        if self._following:
            self._following.cancel()
        await self._readiness.leave()
        await asyncio.sleep(draining.delay)
        self._executors.close(Deadline.now() + WORKING_SHARE * draining.grace)
        self._closing.within(draining.grace)
        self._readiness.servicer.dismiss()
        await self._grpc.stop(draining.grace + LAST_WORDS)
        await self._closing.emptied()
        self._executors.clear()
        await self._http.close()
