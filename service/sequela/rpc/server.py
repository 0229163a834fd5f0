"""The server: the gRPC door, the HTTP door beside it, and the way both close."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sequela.explaining.ports import Observer
from sequela.rpc.admission import Rooms
from sequela.rpc.http import HttpServer
from sequela.rpc.interceptors import EveryCall
from sequela.rpc.listening import Listening
from sequela.rpc.readiness import Readiness
from sequela.rpc.services import Service


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
        rooms: Rooms,
        readiness: Readiness,
        http: HttpServer,
        observer: Observer,
    ) -> None:
        self._listening = listening
        self._rooms = rooms
        self._readiness = readiness
        self._http = http
        self._following: asyncio.Task[None] | None = None
        self._grpc = grpc.aio.server(interceptors=[EveryCall(observer)], options=listening.options)
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
        """Says NOT_SERVING, waits, takes no more work, lets calls finish, cancels the rest, and closes."""
        if self._following:
            self._following.cancel()
        await self._readiness.leave()
        await asyncio.sleep(draining.delay)
        self._rooms.close()
        self._readiness.servicer.dismiss()
        await self._grpc.stop(draining.grace)
        self._rooms.clear()
        await self._http.close()
