"""How the clients connect."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsFloat

import grpc
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela_client.connection_errors import Peer, unreachable
from sequela_client.content_digests import ContentDigests
from sequela_client.errors import CallerError, SequelaError, from_rpc
from sequela_client.server_address import ServerAddress
from sequela_client.tls import PathLike, channel_credentials

_SERVICES = ("ExplanationService", "ModelService", "BackgroundService")

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": f"sequela.v1.{service}"} for service in _SERVICES],
            # Every question is safe to repeat: the same one gets the same answer.
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
"""gRPC's own retries: only UNAVAILABLE, four attempts."""

MAX_MESSAGE_BYTES = 64 << 20
"""Default limit of a message either way, as the server's."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a question's time is over; a question may take several calls."""

    at: float | None
    LONGEST_SECONDS: ClassVar[float] = 1e9
    """Thirty years: longer timeouts, infinity among them, are no limit, and overflow in gRPC."""

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """So many seconds from now; None, or longer than anybody waits: never."""
        if seconds is None or seconds > cls.LONGEST_SECONDS:
            return cls(None)
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float | None:
        """Seconds left, at least 0; None without end."""
        return None if self.at is None else max(self.at - time.monotonic(), 0.0)


class Stubs:
    """The services' stubs over one channel, blocking or asyncio."""

    def __init__(self, channel: Any) -> None:
        self.explanations = rpc.ExplanationServiceStub(channel)
        self.models = rpc.ModelServiceStub(channel)
        self.backgrounds = rpc.BackgroundServiceStub(channel)


class Client:
    """What the blocking and the asyncio client share: a channel, its stubs, what is known of the server."""

    _grpc: ClassVar[Any]
    """`grpc` or `grpc.aio`: they open channels alike."""
    _closed = False

    def _check_open(self) -> None:
        """Raises CallerError once the client is closed."""
        if self._closed:
            raise CallerError("this client is closed; make another one", reason="CLIENT_CLOSED")

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
        """Connects lazily.

        `address`: `host:port`, a host alone (port 50051), or any gRPC target. `timeout`: seconds for
        a question that gives none (None: no limit). `secure`: TLS, trusting the system's authorities. `ca`: TLS,
        trusting those of this PEM file. `certificate` and `key`: TLS, showing this certificate to the server (PEM
        files). `credentials`: gRPC's own, in place of all these. `options`: more of gRPC's channel options.

        Raises CallerError for an address or a file that is none.
        """
        if credentials is None and (secure or ca is not None or certificate is not None or key is not None):
            credentials = channel_credentials(ca, certificate, key)
        server = ServerAddress.parse(address)
        settings = [
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_receive_message_length", max_message_bytes),
            # A proxy of the environment cannot reach this machine's own servers.
            *([("grpc.enable_http_proxy", 0)] if server.is_local else []),
            *options,
        ]
        self._peer = Peer(server, credentials is not None)
        self._timeout = timeout
        self._sent = ContentDigests(max_message_bytes)
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
        # A bool is a number in Python, and never meant as one here.
        if isinstance(seconds, bool) or not isinstance(seconds, SupportsFloat) or not float(seconds) >= 0:
            text = f"timeout: must be seconds, at least 0, or None, not {seconds!r}"
            raise CallerError(text, reason="ARGUMENT_INVALID")
        return float(seconds)

    def _failure(self, error: grpc.RpcError) -> SequelaError:
        """What a call failed with. May ask the server once more whether it speaks TLS."""
        return from_rpc(error, lambda message: unreachable(message, self._peer))
