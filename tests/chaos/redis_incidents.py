"""A server whose Redis is killed and started again, frozen, slow or full."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fault_proxy import FaultProxy
from redis_server import RedisServer, running

from chaos.installation import Installation, shared_store
from chaos.replica import Replica

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""With these, Redis keeps all that it has confirmed when it is killed."""
LATENCIES = (0.05, 0.5)
"""In seconds, each way: below and above the time that the server waits for Redis."""
FULL_BYTES = "1mb"


@contextmanager
def redis_installation(folder: Path) -> Iterator[Installation]:
    """Starts a Redis and a server that reaches it through a proxy."""
    with ExitStack() as stack:
        redis = stack.enter_context(contextmanager(running)(*DURABLE))
        proxy = stack.enter_context(FaultProxy(redis.port))
        store = shared_store(f"redis://127.0.0.1:{proxy.port}/0", folder / "outbox")
        replica = stack.enter_context(Replica(2, *store))
        latencies = itertools.cycle(reversed(LATENCIES))
        incidents = {
            "redis-killed": lambda seconds: _killed(redis, seconds),
            "redis-frozen": lambda seconds: _frozen(redis, seconds),
            "redis-slow": lambda seconds: _slow(proxy, next(latencies), seconds),
            "redis-full": lambda seconds: _full(redis, seconds),
        }
        yield Installation([replica], store, incidents)


def _killed(redis: RedisServer, seconds: float) -> None:
    redis.kill()
    time.sleep(seconds)
    redis.start()


def _frozen(redis: RedisServer, seconds: float) -> None:
    redis.pause()
    time.sleep(seconds)
    redis.resume()


def _slow(proxy: FaultProxy, latency: float, seconds: float) -> None:
    proxy.latency = latency
    time.sleep(seconds)
    proxy.latency = 0.0


def _full(redis: RedisServer, seconds: float) -> None:
    client = redis.client()
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", FULL_BYTES)
    time.sleep(seconds)
    client.config_set("maxmemory", "0")
