"""A server whose master of Redis is killed, so that three sentinels make the replica the next master."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError
from redis_server import RedisServer, running

from chaos.installation import Installation, shared_store
from chaos.redis_incidents import DURABLE
from chaos.replica import Replica, wait_until

SENTINELS = 3
DOWN_MS = 2000
"""After how long without an answer a master is down: longer than a busy machine takes to answer."""
UNREPLICATED_SECONDS = 1.0
"""A master confirms a write before its replica has it, so what it confirmed last is lost when it is killed."""


@contextmanager
def failover_installation(folder: Path) -> Iterator[Installation]:
    """Starts a master, a replica, sentinels and a server."""
    start = contextmanager(running)
    with ExitStack() as stack:
        master = stack.enter_context(start(*DURABLE))
        following = ("--replicaof", "127.0.0.1", str(master.port))
        nodes = [master, stack.enter_context(start(*DURABLE, *following))]
        wait_until(lambda: _follows(nodes[1]))
        sentinels = [
            stack.enter_context(start(_sentinel(folder, number, master.port), "--sentinel"))
            for number in range(SENTINELS)
        ]
        wait_until(lambda: all(map(_knows_all, sentinels)))
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels)
        store = shared_store(f"redis+sentinel://{hosts}/mymaster", folder / "outbox")
        replica = stack.enter_context(Replica(2, *store))
        kills: list[float] = []
        yield Installation(
            [replica],
            store,
            {"redis-failover": lambda _: _fail_over(nodes, sentinels, kills)},
            losses=kills,
            unreplicated_seconds=UNREPLICATED_SECONDS,
        )


def _fail_over(nodes: Sequence[RedisServer], sentinels: Sequence[RedisServer], kills: list[float]) -> None:
    """Kills the master, notes when, and starts it again as soon as there is another one."""
    port = _master_port(sentinels[0])
    master, other = sorted(nodes, key=lambda node: node.port != port)
    wait_until(lambda: _follows(other))
    kills.append(time.monotonic())
    master.kill()
    wait_until(lambda: all(_master_port(sentinel) == other.port for sentinel in sentinels))
    master.start()
    wait_until(lambda: _follows(master))


def _sentinel(folder: Path, number: int, port: int) -> str:
    path = folder / f"sentinel-{number}.conf"
    path.write_text(
        f"sentinel monitor mymaster 127.0.0.1 {port} 2\n"
        f"sentinel down-after-milliseconds mymaster {DOWN_MS}\n"
        "sentinel failover-timeout mymaster 6000\n"
    )
    return str(path)


def _master_port(sentinel: RedisServer) -> int:
    return int(_state(sentinel)["port"])


def _knows_all(sentinel: RedisServer) -> bool:
    state = _state(sentinel)
    return int(state["num-other-sentinels"]) == SENTINELS - 1 and int(state["num-slaves"]) == 1


def _state(sentinel: RedisServer) -> dict[str, Any]:
    state: dict[str, Any] = sentinel.client().sentinel_master("mymaster")
    return state


def _follows(node: RedisServer) -> bool:
    """Returns whether a node is a replica that has all that its master has."""
    try:
        state = node.client().info("replication")
    except RedisError:
        return False
    return state["role"] == "slave" and state["master_link_status"] == "up"
