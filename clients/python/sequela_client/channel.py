"""How the clients connect."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import grpc
from sequela_proto.v1 import sequela_pb2_grpc as rpc

from sequela_client.errors import CallerError
from sequela_client.knowledge import Knowledge

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


DEFAULT_PORT = 50051
"""The server's."""

_HOST_ALONE = re.compile(r"[^:/\[\]]+|\[[^\]]+\]")


def _with_port(address: str) -> str:
    return f"{address}:{DEFAULT_PORT}" if _HOST_ALONE.fullmatch(address) else address


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
        credentials: grpc.ChannelCredentials | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Connects lazily.

        `address`: `host:port`, a host alone (port 50051), or any gRPC target. `timeout`: seconds for
        a question that gives none (None: no limit). `secure`: TLS with the system's roots. `credentials`: TLS
        with these. `options`: more of gRPC's channel options.
        """
        if secure and credentials is None:
            credentials = grpc.ssl_channel_credentials()
        limits = [
            ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_receive_message_length", max_message_bytes),
        ]
        self._address = address = _with_port(address)
        self._timeout = timeout
        self._knowledge = Knowledge(max_message_bytes)
        self._channel = (
            self._grpc.insecure_channel(address, options=[*limits, *options])
            if credentials is None
            else self._grpc.secure_channel(address, credentials, options=[*limits, *options])
        )
        self._stubs = Stubs(self._channel)

    def _seconds(self, timeout: float | None) -> float | None:
        return self._timeout if timeout is None else timeout
