"""The connection to a server, for the blocking and the asyncio client."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsFloat

import grpc
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela_client.connection_errors import Peer, unreachable
from sequela_client.content_digests import ContentDigests
from sequela_client.errors import CallerError, SequelaError, from_rpc
from sequela_client.local_server import LocalServer
from sequela_client.server_address import ServerAddress
from sequela_client.tls import PathLike, channel_credentials

_SERVICES = ("ExplanationService", "ModelService", "BackgroundService")

# gRPC's own retries: on UNAVAILABLE only, four attempts in all.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": f"sequela.v1.{service}"} for service in _SERVICES],
            # Every call is safe to repeat: the same request gets the same answer.
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

# The largest message in either direction by default; the server has the same default.
MAX_MESSAGE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time by which a method has to finish; it may make several calls."""

    at: float | None
    LONGEST_SECONDS: ClassVar[float] = 1e9
    """About thirty years. Longer timeouts, such as infinity, mean no limit; they would overflow in gRPC."""

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Returns a deadline `seconds` from now. With None or a very long timeout there is no limit."""
        if seconds is None or seconds > cls.LONGEST_SECONDS:
            return cls(None)
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float | None:
        """The seconds that are left, at least 0; None if there is no limit."""
        return None if self.at is None else max(self.at - time.monotonic(), 0.0)


class Stubs:
    """The stubs of all services over one channel, blocking or asyncio."""

    def __init__(self, channel: Any) -> None:
        self.explanations = rpc.ExplanationServiceStub(channel)
        self.models = rpc.ModelServiceStub(channel)
        self.backgrounds = rpc.BackgroundServiceStub(channel)


class Client:
    """The base of both clients: a channel, its stubs, and the digests that the server is known to have."""

    _grpc: ClassVar[Any]
    """`grpc` or `grpc.aio`. Both have the same functions to open a channel."""
    _closed = False
    # The server that this client has started and that ends with it.
    _server: LocalServer | None = None

    def _own(self, server: LocalServer) -> None:
        """Makes the server end with this client: when it is closed, forgotten, or when the interpreter exits."""
        self._server = server
        weakref.finalize(self, server.stop)

    def _check_open(self) -> None:
        """Raises CallerError once the client is closed."""
        # gRPC itself would raise a ValueError, and callers catch SequelaError.
        if self._closed:
            raise CallerError("this client is closed; create a new one", reason="CLIENT_CLOSED")

    def __init__(
        self,
        address: str,
        *,
        timeout: float | None = 60.0,
        secure: bool = False,
        ca: PathLike | None = None,
        certificate: PathLike | None = None,
        key: PathLike | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Prepares a connection, which is opened with the first call.

        Args:
            address: `host:port`, a host alone (port 50051), or any gRPC target.
            timeout: seconds for a call that is given no timeout of its own; None: no limit.
            secure: use TLS, and trust the authorities of the system.
            ca: use TLS, and trust the authorities in this PEM file.
            certificate: use TLS, and present this certificate to the server (a PEM file).
            key: the key of that certificate (a PEM file).
            credentials: gRPC's channel credentials, instead of the four above.
            max_message_bytes: the largest message that is sent or received.
            options: further channel options of gRPC.

        Raises:
            CallerError: if the address or a PEM file is not valid.
        """
        if credentials is None and (secure or ca is not None or certificate is not None or key is not None):
            credentials = channel_credentials(ca, certificate, key)
        server = ServerAddress.parse(address)
        settings = [
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_receive_message_length", max_message_bytes),
            # A proxy that the environment names cannot reach servers on this machine.
            *([("grpc.enable_http_proxy", 0)] if server.is_local else []),
            *options,
        ]
        self._peer = Peer(server, credentials is not None)
        self._timeout = timeout
        self._digests = ContentDigests(max_message_bytes)
        self._channel = (
            self._grpc.insecure_channel(server.target, options=settings)
            if credentials is None
            else self._grpc.secure_channel(server.target, credentials, options=settings)
        )
        self._stubs = Stubs(self._channel)

    def _seconds(self, timeout: float | None) -> float | None:
        seconds = self._timeout if timeout is None else timeout
        if seconds is None:
            return None
        # A bool is a number in Python, but never meant as one here.
        if isinstance(seconds, bool) or not isinstance(seconds, SupportsFloat) or not float(seconds) >= 0:
            text = f"timeout: must be a number of seconds, at least 0, or None, not {seconds!r}"
            raise CallerError(text, reason="ARGUMENT_INVALID")
        return float(seconds)

    def _failure(self, error: grpc.RpcError, request: Any) -> SequelaError:
        """Returns the exception for a failed call. It may call the server once more to find out whether it uses TLS."""
        return from_rpc(error, lambda message: unreachable(message, self._peer), request)
