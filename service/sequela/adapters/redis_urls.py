"""From a URL to a redis-py client: one server, a master behind sentinels, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from sequela.errors import InvalidInput

Client = Any
"""A redis-py client, which types its answers for sync and async callers at once, so for neither."""

FORMS = (
    "redis://[user:password@]host[:port][/db], rediss://…, unix:///path/to/socket[?db=0], "
    "redis+sentinel://[user:password@]host[:port][,host…]/service[/db], "
    "redis+cluster://[user:password@]host[:port][,host…]; rediss+… for TLS"
)


@dataclass(frozen=True, slots=True)
class RedisTimeouts:
    """Seconds. A fast path waits for Redis no longer than this, and never tries twice.

    health_check: a connection idle for longer is pinged before it is used.
    """

    connect: float = 0.1
    answer: float = 0.2
    health_check: int = 15


def connector(url: str, timeouts: RedisTimeouts) -> Callable[[], Client]:
    """Makes clients for the URL. A cluster's client asks for the nodes at once, all others connect when first
    used.

    Raises InvalidInput for a URL of no known form.
    """
    parts = urlsplit(url)
    options: dict[str, Any] = {
        "socket_connect_timeout": timeouts.connect,
        "socket_timeout": timeouts.answer,
        "health_check_interval": timeouts.health_check,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # saves the round trips in which protocol 3 is agreed on
    }
    match parts.scheme:
        case "redis" | "rediss" | "unix":
            return _single(url, options)
        case "sentinel" | "redis+sentinel" | "rediss+sentinel":
            return _master(parts, options)
        case "cluster" | "redis+cluster" | "rediss+cluster":
            return _cluster(parts, options)
    raise _invalid(url, f"the scheme {parts.scheme!r} is not known")


def _single(url: str, options: Mapping[str, Any]) -> Callable[[], Client]:
    if url.startswith("unix:") and not urlsplit(url).path:
        raise _invalid(url, "the path of the socket is missing")
    try:
        Redis.from_url(url, **options)
    except (ValueError, TypeError) as error:
        raise _invalid(url, str(error)) from error
    return lambda: Redis.from_url(url, **options)


def _master(parts: SplitResult, options: Mapping[str, Any]) -> Callable[[], Client]:
    service, _, db = parts.path.strip("/").partition("/")
    if not service or not (db or "0").isdigit():
        raise _invalid(parts.geturl(), "the hosts must be followed by /service, or /service/db with a number")
    hosts, access = _hosts(parts, 26379), _access(parts)
    manager = cast(Any, Sentinel)(hosts, sentinel_kwargs=dict(options), **options)
    return lambda: manager.master_for(unquote(service), db=int(db or 0), **access)


def _cluster(parts: SplitResult, options: Mapping[str, Any]) -> Callable[[], Client]:
    if parts.path.strip("/"):
        raise _invalid(parts.geturl(), "a cluster has no databases, so nothing follows the hosts")
    hosts, access = _hosts(parts, 6379), _access(parts)
    return lambda: RedisCluster(
        startup_nodes=[cast(Any, ClusterNode)(*host) for host in hosts],
        require_full_coverage=False,
        **options,
        **access,
    )


def _hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for address in parts.netloc.rpartition("@")[2].split(","):
        # An IPv6 address stands in brackets and is full of colons.
        host, colon, port = address.rpartition(":") if not address.endswith("]") else (address, "", "")
        host, port = (host, port) if colon else (address, str(default_port))
        if not host or not port.isdigit():
            raise _invalid(parts.geturl(), f"{address!r} is not host:port")
        hosts.append((host.strip("[]"), int(port)))
    return hosts


def _access(parts: SplitResult) -> dict[str, Any]:
    """User, password and TLS; the query may name `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`."""
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    access: dict[str, Any] = {"username": unquote(user) or None, "password": unquote(password) or None}
    if parts.scheme.startswith("rediss"):
        access["ssl"] = True
        access |= {
            name: values[0] for name, values in parse_qs(parts.query).items() if name.startswith("ssl_")
        }
    return access


def _invalid(url: str, why: str) -> InvalidInput:
    shown = urlsplit(url)
    address = f"{shown.scheme}://{shown.netloc.rpartition('@')[2]}{shown.path}"  # never the password
    return InvalidInput.at("redis_url", "REDIS_URL_INVALID", f"{address}: {why}; known forms are {FORMS}")
