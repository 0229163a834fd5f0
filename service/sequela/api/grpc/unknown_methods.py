"""A gRPC server that is not ended by calls whose path is not valid UTF-8.

When a call names a method that is not registered, the server loop of grpcio decodes its path. A path that is not UTF-8
raised an error there, which ended the loop, and with it the server. So these calls do not reach that loop. They are
answered as calls of an unknown method, for which the path is not needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # no stubs

UNKNOWN = "/unknown"
"""The method name that is used for these calls. No method has it, so the answer is UNIMPLEMENTED."""

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
"""The internal functions of grpcio that are used here, with their parameters. If they differ in another release, its
own server is used.
"""


def survives_any_path() -> bool:
    """Returns whether this release of grpcio decodes paths in its server loop, and has the functions used here.

    Earlier releases decode a path in the task of its call, where an error does no harm.
    """
    decodes = hasattr(_core.AioServer, "_request_registered_call") and hasattr(_core, "_MethodResolver")
    return decodes and all(_parameters(name) == names for name, names in _TAKEN.items())


def _parameters(name: str) -> list[str]:
    code = getattr(getattr(_core, name, None), "__code__", None)
    return list(code.co_varnames[: code.co_argcount]) if code else []


class _CoreServer(_core.AioServer):  # type: ignore[misc]  # no stubs
    """Answers calls of methods that are not registered. Only these pass through `_request_call`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *given: Any) -> None:
        super().__init__(loop, *given)
        self._event_loop = loop
        self._refusals = set[asyncio.Task[None]]()
        self._resolver = _core._MethodResolver([], {})

    async def _request_call(self) -> Any:
        """Answers call after call, and never returns. Raises what grpcio raises when it shuts down."""
        while True:
            self._refuse(await super()._request_call())

    def _refuse(self, call: Any) -> None:
        answer = _core._handle_rpc(UNKNOWN, self._resolver, (), call, self._event_loop, False)
        task = self._event_loop.create_task(_core._schedule_rpc_coro(answer, call, self._event_loop, UNKNOWN))
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)


class _Server(grpc.aio._server.Server):  # type: ignore[name-defined, misc]  # no stubs
    """The server of grpcio, with the core above."""

    def __init__(
        self, interceptors: Sequence[grpc.aio.ServerInterceptor[Any, Any]], options: Sequence[tuple[str, Any]]
    ) -> None:
        # The constructor of the base class would make the usual core.
        self._loop = _core.get_working_loop()
        self._server = _CoreServer(self._loop, None, (), tuple(interceptors), tuple(options), None)


def aio_server(
    interceptors: Sequence[grpc.aio.ServerInterceptor[Any, Any]], options: Sequence[tuple[str, Any]]
) -> grpc.aio.Server:
    """Returns a gRPC server, as `grpc.aio.server` does."""
    if survives_any_path():
        return _Server(interceptors, options)
    return grpc.aio.server(interceptors=interceptors, options=options)
