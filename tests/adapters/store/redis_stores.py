"""Connections to the tests' Redis, each with its own keys."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from redis_server import RedisServer, running
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.url import RedisTimeouts
from sequela.explain.ports import Observer, Observers
from waiting import eventually

PATIENT = RedisTimeouts(connect_seconds=5.0, answer_seconds=10.0)


def connected(
    server: RedisServer, observer: Observer | None = None, namespace: str = "", url: str = ""
) -> RedisConnection:
    """Returns a connection, by default with a namespace that no other test uses, and with time for a busy machine."""
    return RedisConnection(
        url or server.url, observer or Observers([]), PATIENT, namespace=namespace or f"{uuid.uuid4()}:"
    )


@contextmanager
def call_limit(redis: RedisConnection, seconds: float) -> Iterator[None]:
    """Limits the calls while Redis hangs. As long as it answers, calls have the time that a busy machine needs."""
    before, redis._call_seconds = redis._call_seconds, seconds
    try:
        yield
    finally:
        redis._call_seconds = before


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


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[list[RedisServer]]:
    """A cluster of three nodes, which share the slots."""
    with ExitStack() as stack:
        start = contextmanager(running)
        nodes = [
            stack.enter_context(start("--cluster-enabled", "yes", "--cluster-node-timeout", "30000"))
            for _ in range(3)
        ]
        for number, node in enumerate(nodes):
            slots = range(number * 5462, min((number + 1) * 5462, 16384))
            node.client().execute_command("CLUSTER", "ADDSLOTS", *slots)
            node.client().execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            node.client().execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for node in nodes:
            eventually(functools.partial(_knows_all, node))
        yield nodes


def cluster_url(nodes: list[RedisServer]) -> str:
    """Returns a URL that names the nodes."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def _knows_all(node: RedisServer) -> bool:
    info = str(node.client().execute_command("CLUSTER", "INFO"))
    return "cluster_state:ok" in info and "cluster_slots_ok:16384" in info and "cluster_known_nodes:3" in info


def _serves(server: RedisServer) -> bool:
    return "ok" in str(server.client().execute_command("CLUSTER", "INFO")).split("cluster_slots")[0]
