"""What every store of bytes by key promises, whichever it is."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from adapters.store.redis_stores import connected, redis_cluster
from adapters.store.store_samples import Heard
from redis_server import RedisServer, redis_server
from sequela.adapters.store.cache import CachedStore, FallbackStore
from sequela.adapters.store.chunks import ChunkedStore
from sequela.adapters.store.memory import ENTRY_OVERHEAD_BYTES, MemoryKeyValue
from sequela.adapters.store.ports import KeyValue, StoreFull
from sequela.adapters.store.redis.backend import RedisKeyValue
from sequela.adapters.store.sqlite.store import StoreLimits, memory_store
from sequela.explain.ports import Observers
from sequela.explain.telemetry import CacheLookup
from waiting import eventually

__all__ = ["redis_cluster", "redis_server"]

STORES = ["memory", "sqlite", "tcp", "unix", "chunked", "cached", "fallback"]
CLUSTER = pytest.param("cluster", marks=pytest.mark.slow)


@pytest.fixture(params=[*STORES, CLUSTER])
def store(request: pytest.FixtureRequest) -> Iterator[KeyValue]:
    """Each kind of store, empty."""
    kind = request.param
    if kind == "memory":
        yield MemoryKeyValue()
        return
    if kind == "sqlite":
        yield memory_store().values
        return
    server: RedisServer = request.getfixturevalue("redis_cluster" if kind == "cluster" else "redis_server")
    urls = {"unix": server.unix_url, "cluster": f"redis+cluster://127.0.0.1:{server.port}"}
    connection = connected(server, url=urls.get(kind, server.url))
    redis = RedisKeyValue(connection)
    around: dict[str, Callable[[], KeyValue]] = {
        "chunked": lambda: ChunkedStore(redis, chunk_bytes=8),
        "cached": lambda: CachedStore(MemoryKeyValue(), redis, "test", Observers([]), 0.05),
        "fallback": lambda: FallbackStore(MemoryKeyValue(), redis),
    }
    yield around[kind]() if kind in around else redis
    connection.close()


def test_a_value_comes_back_bit_for_bit(store: KeyValue) -> None:
    """Every byte, none at all, and more bytes than one chunk."""
    for value in (bytes(range(256)), b"", b"x" * 10_000):
        store.put("key", value)
        assert store.get("key") == value


def test_an_unknown_key_is_none(store: KeyValue) -> None:
    """Not an error."""
    assert store.get("never put") is None
    assert store.delete("never put") is False


def test_put_replaces(store: KeyValue) -> None:
    """The last one counts, with or without a ttl."""
    for ttl in (None, 60.0, None):
        store.put("key", b"first")
        store.put("key", b"second and longer", ttl)
        assert store.get("key") == b"second and longer"


def test_delete_forgets_once(store: KeyValue) -> None:
    """The second time there is nothing to forget."""
    store.put("key", b"a value longer than a chunk")
    assert store.delete("key") is True
    assert store.get("key") is None
    assert store.delete("key") is False


def test_put_if_absent_keeps_the_first(store: KeyValue) -> None:
    """Both callers are told what stands there: the first value, also when both are cut into chunks."""
    first, second = b"the first value, longer than a chunk", b"the second value, longer than a chunk"
    assert store.put_if_absent("key", first) == first
    assert store.put_if_absent("key", second) == first
    assert store.put_if_absent("key", first) == first
    assert store.get("key") == first
    store.delete("key")
    assert store.put_if_absent("key", second) == second


def test_put_if_absent_has_one_winner(store: KeyValue) -> None:
    """Eight threads at once: all are told the same value, and it is the one that stays."""
    told: list[bytes] = []
    start = threading.Barrier(8)

    def claim(number: int) -> None:
        start.wait()
        told.append(store.put_if_absent("key", f"value of thread {number}".encode()))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8
    assert set(told) == {store.get("key")}


def test_an_entry_goes_after_its_ttl(store: KeyValue) -> None:
    """A value with a short ttl is gone some time later, one without stays."""
    store.put("short", b"value", 0.05)
    store.put_if_absent("short too", b"value", 0.05)
    store.put("lasting", b"value")
    eventually(lambda: store.get("short") is None and store.get("short too") is None)
    assert store.get("lasting") == b"value"


def test_memory_drops_the_least_recently_used() -> None:
    """Past the bytes, and past the number of entries; entries without a ttl stay."""
    size = 1000 + ENTRY_OVERHEAD_BYTES
    for store in (MemoryKeyValue(max_bytes=3 * size), MemoryKeyValue(max_entries=3)):
        store.put("lasting", b"x" * 1000)
        for name in "abc":
            store.put(name, b"x" * 1000, 60.0)
        store.get("a")
        store.put("d", b"x" * 1000, 60.0)
        assert [name for name in "abcd" if store.get(name) is not None] == ["a", "c", "d"]
        assert store.get("lasting") is not None


def test_memory_refuses_more_lasting_entries_than_fit() -> None:
    """Rather than drop one; deleting or shrinking makes room, and a value too large for good is refused or
    not kept.
    """
    store = MemoryKeyValue(max_bytes=2 * (1000 + ENTRY_OVERHEAD_BYTES))
    store.put("a", b"x" * 1000)
    store.put("b", b"x" * 1000)
    with pytest.raises(StoreFull, match=str(2 * (1000 + ENTRY_OVERHEAD_BYTES))):
        store.put("c", b"")
    store.put("b", b"y" * 1000)
    store.delete("a")
    store.put("c", b"x" * 1000)
    assert (store.get("a"), store.get("b"), store.get("c")) == (None, b"y" * 1000, b"x" * 1000)
    store.put("huge", b"x" * 10_000, 60.0)
    assert store.get("huge") is None


def test_sqlite_refuses_more_lasting_entries_than_fit() -> None:
    """Rather than drop one; deleting or shrinking makes room. Those that expire do not count."""
    store = memory_store(limits=StoreLimits(2000)).values
    store.put("a", b"x" * 1000)
    store.put("b", b"x" * 1000)
    store.put("expires", b"x" * 1000, 60.0)
    for put in (store.put, store.put_if_absent):
        with pytest.raises(StoreFull, match="2000 bytes"):
            put("c", b"x")
    store.put("b", b"y" * 999)
    store.put("c", b"z")
    store.delete("a")
    store.put("d", b"x" * 1000)
    assert (store.get("a"), store.get("b"), store.get("c")) == (None, b"y" * 999, b"z")


def test_memory_forgets_at_the_ttl() -> None:
    """On a clock of the test's own: there just before, gone at the moment."""
    now = [0.0]
    store = MemoryKeyValue(clock=lambda: now[0])
    store.put("key", b"value", 5.0)
    now[0] = 4.999
    assert store.get("key") == b"value"
    now[0] = 5.0
    assert store.get("key") is None


def test_chunks_leave_nothing_behind(redis_server: RedisServer) -> None:
    """A value in chunks lies under several keys; deleting it, or losing a put_if_absent, removes them all."""
    namespace = f"{uuid.uuid4()}:"
    redis = RedisKeyValue(connected(redis_server, namespace=namespace))
    store = ChunkedStore(redis, chunk_bytes=10)
    store.put("key", bytes(95), 60.0)
    keys = redis_server.client().keys(f"{namespace}*")
    assert len(keys) == 1 + 10
    assert all(redis_server.client().pttl(key) > 0 for key in keys)
    store.put_if_absent("key", b"y" * 95, 60.0)
    assert sorted(redis_server.client().keys(f"{namespace}*")) == sorted(keys)
    store.delete("key")
    assert redis_server.client().keys(f"{namespace}*") == []


def test_a_value_with_a_chunk_missing_is_not_there(redis_server: RedisServer) -> None:
    """Nor is one of foreign bytes; putting it again repairs it."""
    namespace = f"{uuid.uuid4()}:"
    store = ChunkedStore(RedisKeyValue(connected(redis_server, namespace=namespace)), chunk_bytes=10)
    store.put("key", bytes(95))
    redis_server.client().delete(next(redis_server.client().scan_iter(f"{namespace}key/*/3")))
    assert store.get("key") is None
    assert store.put_if_absent("key", bytes(95)) == bytes(95)
    assert store.get("key") == bytes(95)
    for foreign in (b"", b"\x02...", b"\x01short", b"\x01" + b"\xff" * 36):
        redis_server.client().set(f"{namespace}foreign", foreign)
        assert store.get("foreign") is None


def test_a_cached_store_asks_the_shared_store_once(redis_server: RedisServer) -> None:
    """The second get of a key is answered without Redis; observers hear of every get."""
    heard = Heard()
    shared = RedisKeyValue(connected(redis_server, heard))
    store = CachedStore(MemoryKeyValue(), shared, "test", heard)
    shared.put("key", b"value")
    assert store.get("key") == b"value"
    shared.delete("key")
    assert store.get("key") == b"value"
    assert store.get("other") is None
    asked = heard.of(CacheLookup)
    assert [(record.cache, record.result) for record in asked] == [
        ("test", "hit"),
        ("test", "hit"),
        ("test", "miss"),
    ]
    assert all(record.seconds >= 0 for record in asked)


def test_a_fallback_store_follows_the_shared_store(redis_server: RedisServer) -> None:
    """What another replica changes or deletes is seen at once."""
    shared = RedisKeyValue(connected(redis_server))
    store = FallbackStore(MemoryKeyValue(), shared)
    store.put("key", b"value")
    shared.put("key", b"changed")
    assert store.get("key") == b"changed"
    shared.delete("key")
    assert store.get("key") is None
