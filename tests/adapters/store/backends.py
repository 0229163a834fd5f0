"""Every backend of the store, each empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from adapters.store.redis_stores import cluster_url, connected, three_nodes
from redis_server import RedisServer, redis_server, valkey_server
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.shared_store import SharedStoreOptions, shared_store
from sequela.adapters.store.sqlite.store import file_store, memory_store
from sequela.explain.ports import Observers
from sweeps import few_of

__all__ = ["redis_server", "store", "three_nodes", "valkey_server"]

KINDS = ("memory", "file", "redis", "valkey", "outbox", "cluster")
# The others are the same code as one Redis. The fast tests of values, indexes and leases talk to Valkey.
BACKENDS = few_of(KINDS, "memory", "file", "redis", "outbox")


def opened(request: pytest.FixtureRequest, folder: Path) -> Store:
    """Opens the backend that a fixture's parameter names."""
    match request.param:
        case "memory":
            return memory_store()
        case "file":
            return file_store(folder / "store.db", Observers([]))
        case "redis" | "valkey":
            server: RedisServer = request.getfixturevalue(f"{request.param}_server")
            return redis_store(connected(server))
        case "outbox":
            redis = connected(request.getfixturevalue("redis_server"))
            return shared_store(redis, SharedStoreOptions(folder / "outbox"))
        case "cluster":
            nodes = request.getfixturevalue("three_nodes")
            return redis_store(connected(nodes[0], url=cluster_url(nodes)))
    raise AssertionError(request.param)


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    made = opened(request, tmp_path)
    yield made
    made.close()
