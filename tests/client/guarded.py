"""A server that asks its clients for a token, with the reasons of the contract, and answers by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from client.scripted import Script, add_services, refuse

REASONS = {"expired": "TOKEN_EXPIRED", "revoked": "CALLER_REVOKED", "of nobody": "IDENTITY_UNKNOWN"}


@dataclass
class Guard(grpc.ServerInterceptor):  # type: ignore[misc]  # gRPC has no types for it
    """Refuses calls whose token is not known. `seen` has the token of each call.

    Args:
        tokens: tokens and what is wrong with them; None: nothing.
        roles: the roles of a valid token.
    """

    tokens: dict[str, str | None] = field(default_factory=dict)
    roles: frozenset[str] = frozenset({"explain", "read"})
    seen: list[str | None] = field(default_factory=list)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Lets a call pass, or returns a handler that refuses it."""
        found = dict(details.invocation_metadata).get("authorization")
        self.seen.append(found)
        token = found.removeprefix("Bearer ") if found else None
        handler = continuation(details)
        if token is None:
            return _refusing(
                handler, grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING", "a token is required"
            )
        if token not in self.tokens:
            return _refusing(
                handler, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_UNKNOWN", "the token is not known"
            )
        if flaw := self.tokens[token]:
            return _refusing(handler, grpc.StatusCode.UNAUTHENTICATED, REASONS[flaw], f"the token is {flaw}")
        role = "read" if details.method.endswith("ListExplanations") else "explain"
        if role not in self.roles:
            text = f"{details.method.rsplit('/')[-1]} needs the role {role}"
            return _refusing(handler, grpc.StatusCode.PERMISSION_DENIED, "METHOD_NOT_PERMITTED", text)
        return handler


def _refusing(handler: Any, code: grpc.StatusCode, reason: str, message: str) -> Any:
    """A handler of the same kind that refuses every call."""

    def unary(_: Any, context: Any) -> Any:
        refuse(context, code, reason, message)

    def stream(_: Any, context: Any) -> Iterator[Any]:
        refuse(context, code, reason, message)
        yield

    if handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(stream)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(unary)
    return grpc.unary_unary_rpc_method_handler(unary)


@contextmanager
def guarded(
    script: Script,
    guard: Guard | None = None,
    credentials: grpc.ServerCredentials | None = None,
    options: tuple[tuple[str, Any], ...] = (),
) -> Iterator[str]:
    """Serves the script, and yields the address.

    Args:
        script: how calls are answered.
        guard: who may call; None: everybody.
        credentials: those of TLS; None: plain text.
        options: options of the server.
    """
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[guard] if guard else [], options=options)
    add_services(script, server)
    where = "127.0.0.1:0"
    port = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
