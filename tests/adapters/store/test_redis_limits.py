"""A whole call to Redis ends in time, whatever the peer does; and each way to connect works."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from adapters.store.record_samples import BODY, delete, listed, record
from adapters.store.redis_stores import PATIENT, call_limit, redis_cluster
from adapters.store.store_samples import Heard
from documents import ROOT
from fault_proxy import FaultProxy
from redis_server import RedisServer, fragile_redis, redis_server, running, valkey_server
from sequela.adapters.store.ports import KeyValue, StoreDown
from sequela.adapters.store.redis import call_limit as limits
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.redis.deletion_log import MARGIN_SECONDS
from sequela.adapters.store.redis.url import RedisTimeouts
from sequela.explain.explanation_query import CallerSelector, Filter
from sequela.explain.telemetry import StoreState
from waiting import PATIENCE, eventually

__all__ = ["fragile_redis", "redis_cluster", "redis_server", "valkey_server"]

TIMEOUTS = RedisTimeouts(connect_seconds=0.2, answer_seconds=0.3)
CALL_SECONDS = TIMEOUTS.call_seconds
ENDLESS = RedisTimeouts(connect_seconds=5.0, answer_seconds=2 * PATIENCE)
CALLERS = 24
BOUND = 6.0
"""Seconds. Twelve times the limit of a call, for machines that are busy; all callers in a queue would take 12."""


def opened(
    url: str,
    heard: Heard | None = None,
    probe_interval_seconds: float = 0.05,
    timeouts: RedisTimeouts = PATIENT,
) -> RedisConnection:
    """A connection, which has the time that a busy machine needs."""
    return RedisConnection(url, heard or Heard(), timeouts, probe_interval_seconds)


def works(redis: RedisConnection) -> bool:
    """Whether a value comes back."""
    values = redis_store(redis).values
    values.put("key", b"value", 60.0)
    return values.get("key") == b"value"


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes that must fail."""
    start = time.monotonic()
    with pytest.raises(StoreDown):
        call()
    return time.monotonic() - start


def test_a_peer_that_drips_does_not_outlast_the_call(redis_server: RedisServer) -> None:
    """A byte every hundredth of a second is within each read's timeout; a value of 10 kB would take 100 s."""
    redis_server.client().set("sequela:v1:long", bytes(10_000))
    with FaultProxy(redis_server.port) as proxy:
        redis = opened(f"redis://127.0.0.1:{proxy.port}", probe_interval_seconds=3600)
        assert works(redis)
        proxy.drip = 1
        with call_limit(redis, CALL_SECONDS):
            assert seconds_of(lambda: redis_store(redis).values.get("long")) < BOUND
        redis.close()


def test_a_peer_that_drips_while_connecting_does_not_outlast_the_call(redis_server: RedisServer) -> None:
    """The first answers of a new connection drip, too."""
    with FaultProxy(redis_server.port) as proxy:
        proxy.latency = 0.15  # each answer in time, all of them together not
        redis = opened(f"redis://127.0.0.1:{proxy.port}/1", None, 3600, TIMEOUTS)
        assert seconds_of(lambda: redis_store(redis).values.get("key")) < BOUND
        redis.close()


def test_a_name_server_that_is_silent_does_not_outlast_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up in another thread; the socket of an attempt that succeeds too late is closed."""
    answered = threading.Event()
    made: list[socket.socket] = []

    def look_up(*_: object) -> list[object]:
        answered.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    redis = opened("redis://redis.example", None, 3600, TIMEOUTS)
    assert seconds_of(lambda: redis_store(redis).values.get("key")) < BOUND
    answered.set()
    redis.close()

    def connect() -> socket.socket:
        time.sleep(0.05)
        made.append(socket.socket())
        return made[0]

    with limits.call_limit(0.001), pytest.raises(Exception, match="too long"):
        limits.open_socket(connect)
    eventually(lambda: bool(made) and made[0].fileno() == -1)


def together(redis: RedisConnection, callers: int = CALLERS) -> list[float]:
    """How long each of several callers takes that ask at the same time, and all fail."""
    values, start = redis_store(redis).values, threading.Barrier(callers)

    def ask(number: int) -> float:
        start.wait()
        return seconds_of(lambda: values.get(f"key {number}"))

    with ThreadPoolExecutor(callers) as threads:
        return list(threads.map(ask, range(callers)))


@pytest.mark.slow
def test_callers_of_a_frozen_cluster_do_not_queue(redis_cluster: RedisServer) -> None:
    """Many at the same time return within their own limits, with a connection opened before and without one."""
    url = f"cluster://127.0.0.1:{redis_cluster.port}"
    before, fresh = opened(url, None, 3600), opened(url, None, 3600, TIMEOUTS)
    assert works(before)
    redis_cluster.pause()
    try:
        assert max(together(fresh)) < BOUND
        with call_limit(before, CALL_SECONDS):
            assert max(together(before)) < BOUND
    finally:
        redis_cluster.resume()
    for each in (before, fresh):
        each.close()
    again = opened(url)
    eventually(again.check)
    assert works(again)
    again.close()


def test_a_unix_socket_that_hangs_is_down(fragile_redis: RedisServer) -> None:
    """And is found again. A full queue of connections makes connecting itself time out."""
    heard = Heard()
    redis = opened(fragile_redis.unix_url, heard)
    assert works(redis)
    fragile_redis.pause()
    with call_limit(redis, CALL_SECONDS):
        assert seconds_of(lambda: redis_store(redis).values.get("key")) < BOUND
    path = fragile_redis.unix_url.removeprefix("unix://").partition("?")[0]
    queue = list(_connections(path))
    fresh = opened(fragile_redis.unix_url, timeouts=TIMEOUTS)
    assert seconds_of(lambda: redis_store(fresh).values.get("key")) < BOUND
    for each in queue:
        each.close()
    fragile_redis.resume()
    eventually(lambda: [record.up for record in heard.of(StoreState)] == [True, False, True])
    assert works(redis)
    redis.close()
    fresh.close()


def _connections(path: str) -> Iterator[socket.socket]:
    """Connections to a Unix socket that does not accept them, until no more fit into its queue."""
    while True:
        each = socket.socket(socket.AF_UNIX)
        each.settimeout(0.01)
        try:
            each.connect(path)
        except OSError:
            each.close()
            return
        yield each


@pytest.mark.parametrize("wrong", [AttributeError("no attribute 'readline'"), ValueError("closed file")])
def test_a_call_while_the_connection_is_closed_is_down(redis_server: RedisServer, wrong: Exception) -> None:
    """Whatever redis-py raises when its sockets are closed by another thread. Otherwise it would be our mistake."""
    redis, begun, closed = opened(redis_server.url), threading.Event(), threading.Event()

    def interrupted(_: object) -> None:
        begun.set()
        assert closed.wait(PATIENCE)
        raise wrong

    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(redis.call, interrupted)
        assert begun.wait(PATIENCE)
        redis.close()
        closed.set()
        with pytest.raises(StoreDown):
            call.result(PATIENCE)
    again = opened(redis_server.url)
    with pytest.raises(type(wrong)):
        again.call(interrupted)
    again.close()


@pytest.mark.slow
def test_calls_meet_no_other_error_while_the_connection_is_closed(redis_server: RedisServer) -> None:
    """Of several threads that are calling when it happens, many times over. None waits for an answer of another one,
    which would take longer than the test has.
    """
    for _ in range(20):
        redis, begun = opened(redis_server.url, None, 3600, ENDLESS), threading.Event()
        values, ended = redis_store(redis).values, threading.Event()

        def call(
            key: str,
            values: KeyValue = values,
            begun: threading.Event = begun,
            ended: threading.Event = ended,
        ) -> None:
            with contextlib.suppress(StoreDown):
                values.put(key, key.encode())
                while not ended.is_set():
                    assert values.get(key) == key.encode()
                    begun.set()

        with ThreadPoolExecutor(3) as threads:
            calls = [threads.submit(call, f"key {number}") for number in range(3)]
            assert begun.wait(PATIENCE)
            redis.close()
            ended.set()
            for each in calls:
                each.result(PATIENCE)
        redis.close()


def rights() -> list[str]:
    """What the user of an access list needs, as the page on operations says."""
    (line,) = (
        line for line in (ROOT / "docs" / "operations.md").read_text().splitlines() if "SETUSER" in line
    )
    return line.split()[5:]


@pytest.mark.parametrize("password", [pytest.param("secret", marks=pytest.mark.slow), "p@ss/wor?d#:%"])
def test_a_user_of_an_access_list(
    redis_server: RedisServer, redis_cluster: RedisServer, valkey_server: RedisServer, password: str
) -> None:
    """One who may do no more than the page on operations says can use the whole store: over TCP and a Unix socket, in a
    cluster and in Valkey, with any password.
    """
    escaped = "".join(f"%{byte:02X}" for byte in password.encode())
    access = f"sequela:{escaped}"
    urls = [
        f"redis://{access}@127.0.0.1:{redis_server.port}",
        f"unix://{access}@{redis_server.unix_url.removeprefix('unix://').partition('?')[0]}",
        f"redis+cluster://{access}@127.0.0.1:{redis_cluster.port}",
        f"redis://{access}@127.0.0.1:{valkey_server.port}",
    ]
    for server in (redis_server, redis_cluster, valkey_server):
        server.client().execute_command("ACL", "SETUSER", "sequela", "reset", "on", f">{password}", *rights())
    for url in urls:
        redis = opened(url)
        assert redis.check()
        assert works(redis)
        store = redis_store(redis)
        store.index.add("index", "entry")
        assert store.index.page("index", "", 9) == ("entry",)
        # Two of the URLs lead to the same keys, where the deletion below reaches what is accepted soon after it.
        later = datetime.now(UTC) + timedelta(seconds=MARGIN_SECONDS + 1)
        store.records.add(record(1, caller_id="a", accepted=later), BODY, "key")
        assert store.records.answer("key") is not None
        assert listed(store.records, Filter(caller_id="a")) == ["e1"]
        assert delete(store.records, CallerSelector("a")) == 1
        for _ in range(2):
            token = store.leases.take("key", 60.0)
            assert token is not None
            store.leases.release("key", token)
        store.close()


def test_tls_is_checked(redis_server: RedisServer, tmp_path: Path) -> None:
    """With the authority of the server's certificate it works; with another one it is down, and no password is told."""
    authority, other = trustme.CA(), trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    for name, each in (("right", authority), ("wrong", other)):
        each.cert_pem.write_to_path(tmp_path / name)
    with FaultProxy(redis_server.port, tls=context) as proxy:
        address = f"rediss://127.0.0.1:{proxy.port}"
        right = opened(f"{address}?ssl_ca_certs={tmp_path / 'right'}")
        assert works(right)
        redis_server.client().set("sequela:v1:long", bytes(10_000))
        proxy.drip = 1
        with call_limit(right, CALL_SECONDS):
            assert seconds_of(lambda: redis_store(right).values.get("long")) < BOUND
        proxy.drip = 0
        heard = Heard()
        wrong = opened(f"{address}?ssl_ca_certs={tmp_path / 'wrong'}", heard, probe_interval_seconds=3600)
        assert not wrong.check()
        (record,) = heard.of(StoreState)
        assert "certificate" in record.detail
        right.close()
        wrong.close()


def test_valkey_works(valkey_server: RedisServer) -> None:
    """As Redis does, over TCP and a Unix socket."""
    assert "valkey_version" in valkey_server.client().info("server")
    for url in (valkey_server.url, valkey_server.unix_url):
        redis = opened(url)
        assert works(redis)
        redis.close()


@pytest.fixture
def replica(fragile_redis: RedisServer) -> Iterator[RedisServer]:
    """A replica of the fragile Redis, up to date."""
    for other in running("--replicaof", "127.0.0.1", str(fragile_redis.port)):
        client = other.client()
        eventually(lambda client=client: client.info("replication")["master_link_status"] == "up")
        yield other


def test_a_primary_that_becomes_a_replica_is_left(fragile_redis: RedisServer, replica: RedisServer) -> None:
    """An address that leads to a demoted server and then to the new primary, as a virtual address does: writes are
    refused as READONLY, which counts as down. While the address leads to the replica, the store stays down; then a new
    connection finds the new primary. In a script the same refusal has another class.
    """
    heard = Heard()
    with FaultProxy(fragile_redis.port) as proxy:
        redis = opened(f"redis://127.0.0.1:{proxy.port}", heard)
        assert works(redis)
        replica.client().replicaof("NO", "ONE")
        fragile_redis.client().replicaof("127.0.0.1", replica.port)
        with pytest.raises(StoreDown):
            redis_store(redis).values.put("key", b"new")
        taken = proxy.taken
        eventually(lambda: proxy.taken > taken + 2)  # it tries, and meets the replica again
        assert [record.up for record in heard.of(StoreState)] == [True, False]
        proxy.lead_to(replica.port)
        eventually(lambda: heard.of(StoreState)[-1].up)
        redis_store(redis).values.put("key", b"new")
        assert replica.client().get("sequela:v1:key").endswith(b"new")
        replica.client().replicaof("127.0.0.1", fragile_redis.port)
        with pytest.raises(StoreDown):
            redis.call(
                lambda client: client.eval("return redis.call('set', KEYS[1], 1)", 1, "sequela:v1:key")
            )
        assert [record.up for record in heard.of(StoreState)] == [True, False, True, False]
        redis.close()
