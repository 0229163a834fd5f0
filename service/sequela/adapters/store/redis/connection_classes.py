"""The connection classes of redis-py, with a limit on the whole call (`call_limit`)."""

from __future__ import annotations

from typing import Any

from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from sequela.adapters.store.redis.call_limit import LimitedSocket, open_socket


class LimitedTcp(Connection):
    """A connection over TCP."""

    def _connect(self) -> Any:
        return LimitedSocket(open_socket(super()._connect))


class LimitedTls(SSLConnection):
    """A connection over TLS."""

    def _connect(self) -> Any:
        return LimitedSocket(open_socket(super()._connect))


class LimitedUnix(UnixDomainSocketConnection):
    """A connection over a Unix socket."""

    def _connect(self) -> Any:
        return LimitedSocket(open_socket(super()._connect))


class LimitedSentinelTcp(SentinelManagedConnection):
    """A connection to the master that sentinels name."""

    def _connect(self) -> Any:
        return LimitedSocket(open_socket(super()._connect))


class LimitedSentinelTls(SentinelManagedSSLConnection):
    """A connection over TLS to the master that sentinels name."""

    def _connect(self) -> Any:
        return LimitedSocket(open_socket(super()._connect))
