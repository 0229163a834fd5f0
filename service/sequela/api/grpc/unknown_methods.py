"""A server of gRPC that survives calls whose path is no text.

Since gRPC's own loop decodes the path of a call for a method that it does not know, one call with a path that is not
UTF-8 ended that loop, and with it the server. Here such calls are taken out before: they are answered as calls of an
unknown method, which does not need their path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # no stubs

UNKNOWN = "/unknown"
"""The name under which gRPC looks for the method of such a call, and does not find it."""

_core: Any = cygrpc

_TAKEN: Mapping[str, list[str]] = {
    "_handle_rpc": [
        "method_name",
        "method_resolver",
        "interceptors",
        "rpc_state",
        "loop",
        "concurrency_exceeded",
    ],
    "_schedule_rpc_coro": ["rpc_coro", "rpc_state", "loop", "method_name"],
}
"""What is used of gRPC's own functions, with their parameters. A release in which they differ is left as it is."""


def survives_any_path() -> bool:
    """Returns whether this release of gRPC decodes paths in its loop, and has what it takes to avoid that.

    Earlier releases decode them in the task of the call.
    """
    decodes = hasattr(_core.AioServer, "_request_registered_call") and hasattr(_core, "_MethodResolver")
    return decodes and all(_parameters(name) == names for name, names in _TAKEN.items())


def _parameters(name: str) -> list[str]:
    code = getattr(getattr(_core, name, None), "__code__", None)
    return list(code.co_varnames[: code.co_argcount]) if code else []


class _CoreServer(_core.AioServer):  # type: ignore[misc]  # no stubs
    """Answers calls of methods that were not registered. Those that were do not come through `_request_call`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *given: Any) -> None:
        super().__init__(loop, *given)
        self._event_loop = loop
        self._refusals = set[asyncio.Task[None]]()
        self._resolver = _core._MethodResolver([], {})

    async def _request_call(self) -> Any:
        """Answers one call after the other, and never returns. Raises what gRPC raises when it shuts down."""
        while True:
            self._refuse(await super()._request_call())

    def _refuse(self, call: Any) -> None:
        answer = _core._handle_rpc(UNKNOWN, self._resolver, (), call, self._event_loop, False)
        task = self._event_loop.create_task(_core._schedule_rpc_coro(answer, call, self._event_loop, UNKNOWN))
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)


class _Server(grpc.aio._server.Server):  # type: ignore[name-defined, misc]  # no stubs
    """The server of the library around the other core."""

    def __init__(
        self, interceptors: Sequence[grpc.aio.ServerInterceptor[Any, Any]], options: Sequence[tuple[str, Any]]
    ) -> None:
        # Not that of the base class, which would make a core of its own.
        self._loop = _core.get_working_loop()
        self._server = _CoreServer(self._loop, None, (), tuple(interceptors), tuple(options), None)


def aio_server(
    interceptors: Sequence[grpc.aio.ServerInterceptor[Any, Any]], options: Sequence[tuple[str, Any]]
) -> grpc.aio.Server:
    """Returns a server of gRPC, as `grpc.aio.server` does."""
    if survives_any_path():
        return _Server(interceptors, options)
    return grpc.aio.server(interceptors=interceptors, options=options)
