"""Connections to the tests' Redis, each with its own keys."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator

import pytest
from redis_server import RedisServer, eventually, running
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.explain.ports import Observer, Observers


def connected(
    server: RedisServer, observer: Observer | None = None, namespace: str = "", url: str = ""
) -> RedisConnection:
    """Returns a connection, by default with a namespace that no other test uses."""
    return RedisConnection(
        url or server.url, observer or Observers([]), namespace=namespace or f"{uuid.uuid4()}:"
    )


def shared(server: RedisServer, observer: Observer | None = None, namespace: str = "") -> Store:
    """Returns a store over such a connection."""
    return redis_store(connected(server, observer, namespace))


@pytest.fixture(scope="module")
def redis_cluster() -> Iterator[RedisServer]:
    """A cluster of one node that owns every slot."""
    for server in running("--cluster-enabled", "yes"):
        server.client().execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        eventually(functools.partial(_serves, server))
        yield server


def _serves(server: RedisServer) -> bool:
    return "ok" in str(server.client().execute_command("CLUSTER", "INFO")).split("cluster_slots")[0]
