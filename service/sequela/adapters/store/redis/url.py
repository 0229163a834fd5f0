"""Makes redis-py clients from a URL: for one server, for a master behind sentinels, or for a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, unquote

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from sequela.adapters.store.redis.connection_classes import (
    LimitedSentinelTcp,
    LimitedSentinelTls,
    LimitedTcp,
    LimitedTls,
    LimitedUnix,
)
from sequela.errors import InvalidInput

Client = Any
"""A redis-py client. Its type hints cover the sync and the async client at once, so they fit neither."""

_SINGLE = {"redis": LimitedTcp, "rediss": LimitedTls, "unix": LimitedUnix}
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^:\[\]@\s]+))(?::(?P<port>[0-9]{1,5}))?")

FORMS = (
    "redis://[user:password@]host[:port][/db], rediss://…, unix:///path/to/socket[?db=0], "
    "redis+sentinel://[user:password@]host[:port][,host…]/service[/db], "
    "redis+cluster://[user:password@]host[:port][,host…]; rediss+… for TLS"
)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A URL in its parts.

    `urllib.parse` is not used: it rejects lists of hosts, and brackets in them, in ways that differ between patch
    versions of Python.

    Attributes:
        text: The URL as it was given.
        scheme: The part before `://`, in lower case.
        access: `user:password`.
        hosts: `host:port,host:port`.
        path: The part that starts with the first `/` after the hosts.
        query: The part after `?`.
    """

    text: str
    scheme: str
    access: str
    hosts: str
    path: str
    query: str

    @classmethod
    def split(cls, text: str) -> RedisUrl:
        """Splits a URL. Parts that are missing are empty; it never fails."""
        scheme, found, rest = text.partition("://")
        if not found:
            return cls(text, "", "", "", text, "")
        rest, _, query = rest.partition("?")
        place, slash, path = rest.partition("/")
        access, _, hosts = place.rpartition("@")
        return cls(text, scheme.lower(), access, hosts, slash + path, query)

    @property
    def shown(self) -> str:
        """The URL without user and password, for messages."""
        address = self.text.rpartition("@")[2].partition("?")[0].rpartition("://")[2]
        return f"{self.scheme}://{address}" if self.scheme else address

    @property
    def has_raw_password(self) -> bool:
        """Whether the password may contain one of `/?#` unescaped. Such a character would end the hosts too early."""
        if self.scheme == "unix" and not (self.access or self.hosts):
            return False  # a path may contain anything
        return "#" in self.access or "@" in self.path or "@" in self.query

    @property
    def host_count(self) -> int:
        """How many hosts are named."""
        return self.hosts.count(",") + 1


@dataclass(frozen=True, slots=True)
class RedisTimeouts:
    """Time limits of one call to Redis. Calls are never retried.

    Attributes:
        connect_seconds: The time for opening a connection.
        answer_seconds: The time for each read from or write to the connection.
        health_check_seconds: A connection that was idle for longer is pinged before it is used.
    """

    connect_seconds: float = 0.1
    answer_seconds: float = 0.2
    health_check_seconds: int = 15

    @property
    def call_seconds(self) -> float:
        """The time for a whole call, with connecting."""
        return self.connect_seconds + self.answer_seconds


def connector(url: str, timeouts: RedisTimeouts) -> Callable[[], Client]:
    """Returns a function that makes a client for the URL.

    A client for a cluster asks for the nodes when it is made; all others connect when they are first used.

    Raises:
        InvalidInput: The URL has none of the forms in `FORMS`.
    """
    parts = RedisUrl.split(url)
    if parts.has_raw_password:
        raise _invalid(parts, "write '/', '?' and '#' in the password as %2F, %3F and %23")
    options: dict[str, Any] = {
        "socket_connect_timeout": timeouts.connect_seconds,
        "socket_timeout": timeouts.answer_seconds,
        "health_check_interval": timeouts.health_check_seconds,
        # The circuit breaker decides when to try again. Retries would multiply the timeout of a request.
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # version 3 would take another round trip per connection to agree on
    }
    match parts.scheme:
        case "redis" | "rediss" | "unix":
            return _single(parts, options)
        case "sentinel" | "redis+sentinel" | "rediss+sentinel":
            return _master(parts, options)
        case "cluster" | "redis+cluster" | "rediss+cluster":
            return _cluster(parts, options)
    raise _invalid(parts, f"the scheme {parts.scheme!r} is unknown")


def _single(parts: RedisUrl, options: Mapping[str, Any]) -> Callable[[], Client]:
    if parts.scheme == "unix" and not parts.path:
        raise _invalid(parts, "the path of the socket is missing")
    if "," in parts.hosts:
        text = f"{parts.hosts!r} names several hosts, which needs redis+sentinel:// or redis+cluster://"
        raise _invalid(parts, text)
    chosen = {**options, "connection_class": _SINGLE[parts.scheme]}
    if _fault(parts.text, chosen) is not None:
        # The message may quote any part of the URL, so it is taken from a URL without user and password.
        bare = f"{parts.scheme}://{parts.text.rpartition('@')[2]}" if parts.access else parts.text
        escape = "user or password cannot be read; write special characters in them as %2F, %5B and so on"
        raise _invalid(parts, _fault(bare, chosen) or escape)
    return lambda: Redis.from_url(parts.text, **chosen)


def _fault(url: str, options: Mapping[str, Any]) -> str | None:
    """Returns redis-py's objection to a URL; None if it accepts it."""
    try:
        Redis.from_url(url, **options)
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def _master(parts: RedisUrl, options: Mapping[str, Any]) -> Callable[[], Client]:
    service, _, db = parts.path.strip("/").partition("/")
    if not service or not (db or "0").isdigit():
        raise _invalid(parts, "after the hosts, /service or /service/db is expected, where db is a number")
    hosts, access = _hosts(parts, 26379), _access(parts)
    manager = cast(Any, Sentinel)(hosts, sentinel_kwargs=dict(options), **options)
    for sentinel in manager.sentinels:
        sentinel.connection_pool.connection_class = LimitedTcp
    secure = access.pop("ssl", False)
    access["connection_class"] = LimitedSentinelTls if secure else LimitedSentinelTcp
    return lambda: manager.master_for(unquote(service), db=int(db or 0), **access)


def _cluster(parts: RedisUrl, options: Mapping[str, Any]) -> Callable[[], Client]:
    if parts.path.strip("/"):
        raise _invalid(parts, f"a cluster has no databases, so {parts.path!r} must not follow the hosts")
    hosts, access = _hosts(parts, 6379), _access(parts)
    access["connection_class"] = LimitedTls if access.pop("ssl", False) else LimitedTcp
    name, port = hosts[0]
    # redis-py accepts a connection class only together with a URL. A rediss:// URL would override the class.
    first = f"redis://[{name}]:{port}" if ":" in name else f"redis://{name}:{port}"
    return lambda: RedisCluster(
        url=first,
        startup_nodes=[cast(Any, ClusterNode)(*host) for host in hosts],
        # Keys on the nodes that are up can still be read while others are down.
        require_full_coverage=False,
        **options,
        **access,
    )


def _hosts(parts: RedisUrl, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for address in parts.hosts.split(","):
        found = _ADDRESS.fullmatch(address)
        port = int(found["port"] or default_port) if found else 0
        if found is None or not 0 < port < 1 << 16:
            raise _invalid(parts, f"{address!r} is not host, host:port or [IPv6 address]:port")
        hosts.append((found["name"] or found["ipv6"], port))
    return hosts


def _access(parts: RedisUrl) -> dict[str, Any]:
    """Returns user, password and TLS options. The query may set `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`."""
    user, _, password = parts.access.partition(":")
    access: dict[str, Any] = {"username": unquote(user) or None, "password": unquote(password) or None}
    if parts.scheme.startswith("rediss"):
        access["ssl"] = True
        access |= {
            name: values[0] for name, values in parse_qs(parts.query).items() if name.startswith("ssl_")
        }
    return access


def _invalid(url: RedisUrl, why: str) -> InvalidInput:
    return InvalidInput.at(
        "redis_url", "REDIS_URL_INVALID", f"{url.shown}: {why}; supported forms are {FORMS}"
    )
