"""HTTP connections to one endpoint, with a deadline for each call as a whole and a guard for the addresses.

Timeouts of single reads and writes do not limit a call, because a server that sends its answer byte by byte would never
reach one. So every read and write gets the time that is left for its call.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import httpcore

from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.credentials import Credentials, Tls
from sequela.adapters.endpoints.failures import seconds_left

WRITE_BYTES = 16 << 10
"""The number of bytes to write at once: one TLS record."""
IDLE_SECONDS = 30.0
"""How long an idle connection is kept, in seconds."""


class Exchange(threading.local):
    """The current call of a thread: its end (monotonic clock), and whether the server closed the connection."""

    until: float = math.inf
    closed_by_server: bool = False


@dataclass(frozen=True, slots=True)
class HttpConnectionSpec:
    """Everything that is needed to open connections. Implements `ConnectionSpec`.

    `connect_seconds` is how long connecting may take, the look-up of the name and TLS included.
    """

    guard: AddressGuard
    credentials: Credentials
    tls: Tls | None
    connect_seconds: float

    def open(self) -> HttpConnections:
        """Opens connections when they are first needed. Raises UnusableCredentials."""
        context = None if self.tls is None else self.credentials.context()
        return HttpConnections(self.guard, context, self.connect_seconds)


class HttpConnections:
    """A pool of connections. Safe to use from several threads at once."""

    def __init__(self, guard: AddressGuard, context: ssl.SSLContext | None, connect_seconds: float) -> None:
        self._exchange = Exchange()
        self._network = _Network(guard, connect_seconds, self._exchange)
        self.pool = httpcore.ConnectionPool(
            ssl_context=context,
            # The limiter already bounds the number of calls, and so of connections.
            max_connections=None,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=self._network,
        )

    @contextmanager
    def exchange(self, until: float) -> Iterator[Exchange]:
        """Sets the end of the call that this thread makes within the context."""
        self._exchange.until, self._exchange.closed_by_server = until, False
        try:
            yield self._exchange
        finally:
            self._exchange.until = math.inf

    def close(self) -> None:
        """Closes all connections. Calls in flight fail."""
        self._network.cut()
        self.pool.close()


class _Network(httpcore.NetworkBackend):
    """Connects to the addresses that the guard allows, one after another."""

    def __init__(self, guard: AddressGuard, connect_seconds: float, exchange: Exchange) -> None:
        self._guard, self._connect_seconds, self._exchange = guard, connect_seconds, exchange
        self._plain = httpcore.SyncBackend()
        self._lock = threading.Lock()
        self._streams: WeakSet[_Stream] = WeakSet()
        self._open = True

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # the guard knows it
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the end of the call counts
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises Forbidden, DeadlinePassed, OSError if the name cannot be resolved, and httpcore's errors."""
        # Raised if there is no address to try.
        failed: Exception = httpcore.ConnectError("the host has no address")
        end = time.monotonic() + self._connect_seconds
        # The name is looked up for every connection, because its addresses can change.
        for address in self._guard.look_up(self.left(end)):
            try:
                left = self.left(end)
                stream = self._plain.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return self.limit(stream, end)
        raise failed

    def left(self, end: float) -> float:
        """Returns the seconds left to connect.

        Raises DeadlinePassed if the call is over, ConnectTimeout after `end`.
        """
        of_call, of_connecting = seconds_left(self._exchange.until), end - time.monotonic()
        if of_connecting <= 0:
            raise httpcore.ConnectTimeout(f"no connection within {self._connect_seconds:g} s")
        return of_connecting if of_call is None else min(of_call, of_connecting)

    def limit(self, stream: httpcore.NetworkStream, end: float) -> httpcore.NetworkStream:
        """Wraps a stream so that it stops at the end of each call. `end` is the time by which it must be connected.

        Raises httpcore.ConnectError if the pool has been closed in the meantime.
        """
        wrapped = _Stream(stream, self, self._exchange, end)
        with self._lock:
            # Under the lock, so that `cut` reaches every stream that is handed out.
            if self._open:
                self._streams.add(wrapped)
                return wrapped
        stream.close()
        raise httpcore.ConnectError("the connection was closed")

    def cut(self) -> None:
        """Permanently shuts down all connections, which wakes the threads that wait for them."""
        with self._lock:
            self._open = False
            for stream in self._streams:
                stream.cut()


class _Stream(httpcore.NetworkStream):
    """A stream that raises DeadlinePassed at the end of the call, and ignores httpcore's timeouts."""

    def __init__(
        self, stream: httpcore.NetworkStream, network: _Network, exchange: Exchange, connected_by: float
    ) -> None:
        self._stream, self._network, self._exchange = stream, network, exchange
        self._connected_by = connected_by

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        content = self._stream.read(max_bytes, seconds_left(self._exchange.until))
        # An empty read means that the server closed the connection.
        self._exchange.closed_by_server = not content
        return content

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        # In parts, each with the time that is left, so that a slow reader cannot hold a call beyond its end.
        for start in range(0, len(buffer), WRITE_BYTES):
            left = seconds_left(self._exchange.until)
            self._stream.write(buffer[start : start + WRITE_BYTES], left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left = self._network.left(self._connected_by)
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return self._network.limit(stream, self._connected_by)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def cut(self) -> None:
        """Shuts the socket down. Closing it would not wake a thread that is reading."""
        with suppress(OSError):  # it is closed already
            # Bypass TLS, which would send a closing message while another thread is reading.
            socket.socket.shutdown(self.get_extra_info("socket"), socket.SHUT_RDWR)
