"""Whether the server takes calls: gRPC health and /readyz give the same answer.

A shared store that is down does not count: the server answers without it, and taking out every replica at once would
help nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from grpc_health.v1 import health, health_pb2

from sequela.api.drain_gate import draining
from sequela.api.grpc.context import Context
from sequela.explain.ports import ModelRecord, ModelState

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

FAILED = "models failed to load: repair or remove their folders, and restart"

LOADING_POLL_SECONDS = 0.05
"""How often a loading server checks whether its models are there."""


class Health(health.aio.HealthServicer):  # type: ignore[name-defined, misc]  # no stubs
    """The health service. Watchers are told NOT_SERVING and then dismissed, so that they do not delay the drain."""

    def __init__(self) -> None:
        super().__init__()
        self._dismissed = asyncio.Event()

    async def Watch(  # noqa: N802  # the contract's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> None:
        """Sends each change until the caller leaves. Raises Unavailable (DRAINING) once dismissed."""
        watching = asyncio.ensure_future(super().Watch(request, context))
        dismissed = asyncio.ensure_future(self._dismissed.wait())
        try:
            await asyncio.wait({watching, dismissed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            dismissed.cancel()
        raise draining()

    def dismiss(self) -> None:
        """Ends every Watch."""
        self._dismissed.set()


class ConfiguredStates(Protocol):
    """The state of the operator's models."""

    def ready(self) -> bool:
        """Whether every model of this process is loaded; true where there is none."""

    def unready(self) -> Sequence[ModelRecord]:
        """Those that keep the server from being ready."""

    def notes(self) -> Sequence[str]:
        """What the operator should know, though it does not keep the server from being ready."""


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """The page /readyz: its first line is `ok` or the reason, each further one a model or a note."""

    ready: bool
    text: str


class Readiness:
    """Not ready until every configured model is loaded, and never again once the server drains."""

    def __init__(self, services: Sequence[str], models: ConfiguredStates) -> None:
        self.servicer = Health()
        self._names = ("", *services)
        self._models = models
        self._draining = False

    def why_not(self) -> str:
        """Why the server takes no calls; empty when it does."""
        if self._draining:
            return "draining"
        if self._models.ready():
            return ""
        failed = any(record.state is ModelState.FAILED for record in self._models.unready())
        return FAILED if failed else "loading models"

    def report(self) -> ReadinessReport:
        """The same for people: with the models that are not ready, and notes."""
        if self._draining:
            return ReadinessReport(False, f"{self.why_not()}\n")
        why = self.why_not()
        models = [record.summary for record in self._models.unready()]
        notes = [f"note: {note}" for note in self._models.notes()]
        return ReadinessReport(not why, "".join(f"{line}\n" for line in (why or "ok", *models, *notes)))

    async def follow(self) -> None:
        """Sets NOT_SERVING, and SERVING as soon as the models are there."""
        await self._set(NOT_SERVING)
        while self.why_not():
            await asyncio.sleep(LOADING_POLL_SECONDS)
        await self._set(SERVING)

    async def leave(self) -> None:
        """Sets NOT_SERVING for good."""
        self._draining = True
        await self.servicer.enter_graceful_shutdown()

    async def _set(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in self._names:
            await self.servicer.set(name, status)
