"""What the blocking and the asyncio client have in common: the connection to a server, and what is sent with calls."""

from __future__ import annotations

import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsFloat

import grpc

from sequela_client.bearer_token import BearerToken, Metadata
from sequela_client.connection import Connections
from sequela_client.connection_errors import Peer, unreachable
from sequela_client.content_digests import ContentDigests
from sequela_client.credentials import Credentials, PathLike
from sequela_client.errors import CallerError, SequelaError, TokenExpired
from sequela_client.local_server import LocalServer
from sequela_client.resumptions import Resumptions
from sequela_client.retries import Retries, RetryBudget
from sequela_client.server_address import ServerAddress
from sequela_client.statuses import from_rpc
from sequela_client.tls import PemFiles
from sequela_client.trace_context import with_trace

# The largest message in either direction by default; the server has the same default.
MAX_MESSAGE_BYTES = 64 << 20

DEFAULT_RETRIES = Retries()


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


class Client(ABC):
    """The base of both clients: the connection, the token, and the digests that the server is known to have."""

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
        token: str | None = None,
        token_file: PathLike | None = None,
        token_without_tls: bool = False,
        credentials: Credentials | grpc.ChannelCredentials | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        retries: Retries = DEFAULT_RETRIES,
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
            token: a bearer token, which is sent with every call.
            token_file: a file with the token, which is read for every call.
            token_without_tls: send the token in plain text to other machines, too.
            credentials: `Credentials` with all of the above, or gRPC's channel credentials instead of those about TLS.
            max_message_bytes: the largest message that is sent or received.
            retries: how often, and after which waits, a call that failed is sent again.
            options: further channel options of gRPC.

        Raises:
            CallerError: if the address, the token or a PEM file is not valid.
        """
        named = Credentials(secure, ca, certificate, key, token, token_file, token_without_tls)
        given = _chosen(named, credentials)
        channel = credentials if isinstance(credentials, grpc.ChannelCredentials) else None
        server = ServerAddress.parse(address)
        if channel is None:
            given.check_token_is_safe(server)
        settings = [
            # Calls go to all replicas that the name of the server leads to; gRPC's default is the first of them.
            ("grpc.lb_policy_name", "round_robin"),
            # A server that was replaced is found within the waits of the retries; gRPC's default is to wait a second.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 5_000),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_receive_message_length", max_message_bytes),
            # A proxy that the environment names cannot reach servers on this machine.
            *([("grpc.enable_http_proxy", 0)] if server.is_local else []),
            *options,
        ]
        self._peer = Peer(server, given.uses_tls or channel is not None, given if channel is None else None)
        self._timeout = timeout
        self._budget = RetryBudget(retries)
        self._digests = ContentDigests(max_message_bytes)
        self._token = BearerToken(given)

        def open_channel(secured: grpc.ChannelCredentials | None) -> Any:
            if secured is None:
                return self._grpc.insecure_channel(server.target, options=settings)
            return self._grpc.secure_channel(server.target, secured, options=settings)

        files = PemFiles(given) if given.uses_tls else None
        self._connections = Connections(open_channel, self._close_channel, files, channel)

    @abstractmethod
    def _close_channel(self, channel: Any) -> None:
        """Closes a channel that has no more calls."""

    def _metadata(self) -> Metadata:
        """The metadata that tells the server who calls: the token, if there is one."""
        return self._token.metadata()

    def _sent(self) -> Metadata:
        """The metadata of the next call: the token and the current trace."""
        return with_trace(self._metadata())

    def _pause(
        self, resumptions: Resumptions, failure: Exception, answered: int, sent: Metadata
    ) -> float | None:
        """How many seconds to wait before a stream is opened again; None if it must not be."""
        if self._closed or not isinstance(failure, SequelaError):
            return None
        # A token that expired may have been renewed while the stream was open.
        if isinstance(failure, TokenExpired) and self._metadata() != sent:
            return 0.0
        return resumptions.pause(failure, answered)

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


def _chosen(named: Credentials, given: Credentials | grpc.ChannelCredentials | None) -> Credentials:
    """The credentials among the arguments.

    Raises:
        CallerError: there are two of them.
    """
    if isinstance(given, Credentials):
        if named != Credentials():
            raise _both("Credentials has them all")
        return given
    if given is not None and named.uses_tls:
        raise _both("channel credentials of gRPC say what TLS uses")
    return named


def _both(why: str) -> CallerError:
    text = f"credentials: cannot be combined with the arguments that it replaces: {why}"
    return CallerError(text, reason="ARGUMENT_INVALID")
