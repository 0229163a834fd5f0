"""Whether the server accepts calls. gRPC health checks and /readyz give the same answer.

A server is ready even if the shared store is down, because it can answer without it. Otherwise all replicas would be
taken out of service at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from grpc_health.v1 import health, health_pb2

from sequela.api.drain_gate import draining_error
from sequela.api.grpc.context import Context
from sequela.errors import Overloaded
from sequela.explain.ports import ModelRecord, ModelState

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

NO_ENGINE = "no process that runs models is up; they start again by themselves"
FAILED = (
    "models failed to load: fix or remove their folders (then restart, if --repository-interval is 0), or set "
    "--no-require-all-models"
)

EMPTY = (
    "the model repository has no model: check whether its volume is mounted, or add a model (then restart, if "
    "--repository-interval is 0), or set --no-require-all-models"
)

MAX_WATCHES = 100
"""How many calls of `Watch` may be open at a time. Everybody may call it, and an open call holds memory and a task."""
RETRY_SECONDS = 5.0

LOADING_POLL_SECONDS = 0.05
"""How often a server that is not ready checks whether it is, in seconds."""
READY_POLL_SECONDS = 0.2
"""How often a server that is ready checks whether it still is, in seconds."""


class Health(health.aio.HealthServicer):  # type: ignore[name-defined, misc]  # no stubs
    """The health service. On shutdown, `Watch` calls get NOT_SERVING and are ended, so that they do not delay it."""

    def __init__(self) -> None:
        super().__init__()
        self._dismissed = asyncio.Event()
        self._watches = 0

    async def Watch(  # noqa: N802  # the contract's name
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> None:
        """Sends each change of the status until the caller cancels.

        Raises:
            Overloaded: WATCHES_FULL.
            Unavailable: DRAINING, after `dismiss`.
        """
        if self._watches >= MAX_WATCHES:
            text = f"{MAX_WATCHES} calls of Watch are open, which is the most; retry later, or call Check instead"
            raise Overloaded("WATCHES_FULL", text, retry_after=RETRY_SECONDS)
        self._watches += 1
        try:
            await self._watch(request, context)
        finally:
            self._watches -= 1

    async def List(  # noqa: N802  # the contract's name
        self, _: health_pb2.HealthListRequest, __: Context
    ) -> health_pb2.HealthListResponse:
        """Returns the status of the server and of each service. gRPC's own servicer leaves this method out."""
        statuses = {
            name: health_pb2.HealthCheckResponse(status=status)
            for name, status in self._server_status.items()
        }
        return health_pb2.HealthListResponse(statuses=statuses)

    async def _watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        watching = asyncio.ensure_future(super().Watch(request, context))
        dismissed = asyncio.ensure_future(self._dismissed.wait())
        try:
            # Watch ends only when the caller cancels, so a drain would have to wait for it.
            await asyncio.wait({watching, dismissed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            dismissed.cancel()
        raise draining_error()

    def dismiss(self) -> None:
        """Ends every Watch."""
        self._dismissed.set()


class ConfiguredStates(Protocol):
    """The state of the operator's models."""

    def ready(self) -> bool:
        """Returns whether requests can be answered with the operator's models, which is True if there are none."""

    def lacks_models(self) -> bool:
        """Returns whether there is a repository that must have models, but has none."""

    def unready(self) -> Sequence[ModelRecord]:
        """Returns the models that are loading or have failed, whether or not the server is ready."""

    def notes(self) -> Sequence[str]:
        """Returns notes for the operator that do not affect readiness."""


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """The page /readyz. The first line is `ok` or the reason, and each further line is a model or a note."""

    ready: bool
    text: str


class Readiness:
    """The server is ready once the configured models are loaded, while they can be run, until it starts to drain."""

    def __init__(self, services: Sequence[str], models: ConfiguredStates) -> None:
        self.servicer = Health()
        self._names = ("", *services)
        self._models = models
        self._draining = False
        self._once_ready = asyncio.Event()

    def why_not(self) -> str:
        """Returns why the server does not accept calls, or an empty string if it does."""
        if self._draining:
            return "draining"
        if self._models.ready():
            return ""
        # A server that was ready once does not depend on the state of its models any more.
        if self._once_ready.is_set():
            return NO_ENGINE
        if self._models.lacks_models():
            return EMPTY
        if not self._models.unready():
            return NO_ENGINE
        # A failed model never becomes ready by itself, so the operator has to act.
        failed = any(record.state is ModelState.FAILED for record in self._models.unready())
        return FAILED if failed else "loading models"

    def report(self) -> ReadinessReport:
        """Returns a report for people, with the models that are not ready and with notes."""
        if self._draining:
            return ReadinessReport(False, f"{self.why_not()}\n")
        why = self.why_not()
        models = [record.summary for record in self._models.unready()]
        notes = [f"note: {note}" for note in self._models.notes()]
        return ReadinessReport(not why, "".join(f"{line}\n" for line in (why or "ok", *models, *notes)))

    async def follow(self) -> None:
        """Sets SERVING whenever the server is ready, and NOT_SERVING whenever it is not. Never returns."""
        serving: bool | None = None
        while True:
            ready = not self.why_not()
            if ready is not serving:
                serving = ready
                await self._set(SERVING if ready else NOT_SERVING)
            if ready:
                self._once_ready.set()
            # Models are loaded and run elsewhere, where nobody notifies the event loop.
            await asyncio.sleep(READY_POLL_SECONDS if ready else LOADING_POLL_SECONDS)

    async def wait(self) -> None:
        """Waits until the server is ready for the first time."""
        await self._once_ready.wait()

    async def leave(self) -> None:
        """Sets NOT_SERVING permanently."""
        self._draining = True
        await self.servicer.enter_graceful_shutdown()

    async def _set(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in self._names:
            await self.servicer.set(name, status)
