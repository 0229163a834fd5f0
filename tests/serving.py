"""Runs a real server in a thread of this process, with its own event loop, and has what tests need to call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import numpy as np
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from numpy.typing import ArrayLike
from sequela.api.server import BoundAddresses
from sequela.bootstrap import Application, build
from sequela.settings import Settings
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from waiting import PATIENCE

T = TypeVar("T")


def embedded(**changed: Any) -> Settings:
    """Returns the default settings, but with free ports, a short drain, and everything kept and run in this process."""
    usual: dict[str, Any] = {
        "store": "memory:",
        "engines": 0,
        "port": 0,
        "http_port": 0,
        "drain_delay": 0.0,
        "drain_grace": 5.0,
    }
    return Settings(**{**usual, **changed})


def in_process(**changed: Any) -> Settings:
    """As `embedded`, and the models of callers run in this process too: for each model, a process of its own takes
    several times as long as a small explanation.
    """
    return embedded(**{"upload_engines": 0, **changed})


class Serving:
    """A server that starts on entry, waits until it is ready unless that is turned off, and drains on exit. `overrides`
    are passed to `build`.
    """

    wired: Application
    bound: BoundAddresses

    def __init__(self, settings: Settings | None = None, wait: bool = True, **overrides: Any) -> None:
        self.settings = settings or embedded()
        self._overrides = overrides
        self._wait = wait
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server", daemon=True)
        self._drained = False

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self._open())
        except BaseException:
            self._end()
            raise
        self.channel = grpc.insecure_channel(self.bound.grpc, [("grpc.max_send_message_length", -1)])
        self.explanations = rpc.ExplanationServiceStub(self.channel)
        self.models = rpc.ModelServiceStub(self.channel)
        self.backgrounds = rpc.BackgroundServiceStub(self.channel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.channel.close()
        self.drain()
        self._end()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def drain(self) -> None:
        """Drains once."""
        if not self._drained:
            self._drained = True
            self.wired.configured.stop()
            self.run(self.wired.server.drain(self.wired.drain_times))
            self.wired.close()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _open(self) -> None:
        self.wired = build(self.settings, **self._overrides)
        self.bound = await self.wired.server.open()
        self.wired.configured.start()
        if self._wait:
            await self.wired.server.ready()


def tensor(values: ArrayLike) -> pb.Tensor:
    """Returns a float32 tensor of raw bytes."""
    array = np.asarray(values, dtype="<f4")
    return pb.Tensor(dtype=pb.DATA_TYPE_FLOAT32, shape=array.shape, raw=array.tobytes())


def inputs(values: ArrayLike, name: str = "") -> list[pb.InputTensor]:
    """Returns a list with one input."""
    return [pb.InputTensor(name=name, tensor=tensor(values))]


def explained_by_deadline(stub: Any, request: pb.ExplainRequest, seconds: float = 2.0) -> pb.Explanation:
    """Returns what the server has found by the deadline of a request that would take much longer.

    On a busy machine the caller's own clock may come first. Then the deadline is doubled, so that more of it is kept
    for the answer.
    """
    while True:
        try:
            return stub.Explain(request, timeout=seconds).explanation
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED or seconds > PATIENCE / 2:
                raise
        seconds *= 2


class Failure:
    """The error of a failed call: its code, reason, message and details."""

    def __init__(self, error: Any) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details()
        self.metadata = dict(error.trailing_metadata())
        self.reason = ""
        self.violations: dict[str, str] = {}
        self.facts: dict[str, str] = {}
        self.retry: float | None = None
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            self._take(detail)

    def _take(self, detail: Any) -> None:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            assert info.domain == "sequela.v1"
            assert not self.reason, "one ErrorInfo only"
            self.reason, self.facts = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            self.violations = {each.field: each.description for each in bad.field_violations}
        elif detail.Unpack(retry):
            self.retry = retry.retry_delay.ToMilliseconds() / 1000
