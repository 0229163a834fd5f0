"""What every key-value store promises, whichever it is."""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from adapters.store.store_samples import Heard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_server import RedisServer, eventually, redis_server, running
from sequela.adapters.store.cache import CachedStore, FallbackStore
from sequela.adapters.store.chunks import ChunkedStore
from sequela.adapters.store.memory import ENTRY_OVERHEAD, MemoryKeyValue
from sequela.adapters.store.ports import KeyValue, StoreFull
from sequela.adapters.store.redis_store import RedisKeyValue
from sequela.explain.ports import Observers
from sequela.explain.telemetry import CacheAsked

__all__ = ["redis_server"]

STORES = ["memory", "tcp", "unix", "pieces", "near_first", "far_first"]
CLUSTER = pytest.param("cluster", marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def redis_cluster() -> Iterator[RedisServer]:
    """A cluster of one node that owns every slot."""
    for server in running("--cluster-enabled", "yes"):
        server.client().execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        eventually(functools.partial(_serves, server))
        yield server


def _serves(server: RedisServer) -> bool:
    return "ok" in str(server.client().execute_command("CLUSTER", "INFO")).split("cluster_slots")[0]


@pytest.fixture(params=[*STORES, CLUSTER])
def store(request: pytest.FixtureRequest) -> Iterator[KeyValue]:
    """Each kind of store, empty."""
    kind = request.param
    if kind == "memory":
        yield MemoryKeyValue()
        return
    server: RedisServer = request.getfixturevalue("redis_cluster" if kind == "cluster" else "redis_server")
    urls = {"unix": server.unix_url, "cluster": f"redis+cluster://127.0.0.1:{server.port}"}
    redis = RedisKeyValue(urls.get(kind, server.url), Observers([]), namespace=f"{uuid.uuid4()}:")
    around: dict[str, Callable[[], KeyValue]] = {
        "pieces": lambda: ChunkedStore(redis, piece_bytes=8),
        "near_first": lambda: CachedStore(MemoryKeyValue(), redis, "test", Observers([]), 0.05),
        "far_first": lambda: FallbackStore(MemoryKeyValue(), redis),
    }
    yield around[kind]() if kind in around else redis
    redis.close()


def test_a_value_comes_back_bit_for_bit(store: KeyValue) -> None:
    """Every byte, none at all, and more than one piece of bytes."""
    for value in (bytes(range(256)), b"", b"x" * 100_000):
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
    store.put("key", b"a value longer than a piece")
    assert store.delete("key") is True
    assert store.get("key") is None
    assert store.delete("key") is False


def test_put_if_absent_keeps_the_first(store: KeyValue) -> None:
    """Both callers are told what stands there: the first value, also when both are cut in pieces."""
    first, second = b"the first value, longer than a piece", b"the second value, longer than a piece"
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
    """A value and an index with a short ttl are gone some time later, those without one stay."""
    store.put("short", b"value", 0.05)
    store.put_if_absent("short too", b"value", 0.05)
    store.index_add("short index", "entry", 0.05)
    store.put("lasting", b"value")
    store.index_add("lasting index", "entry")
    eventually(lambda: store.get("short") is None and store.get("short too") is None)
    eventually(lambda: store.index_page("short index", "", 1) == ())
    assert store.get("lasting") == b"value"
    assert store.index_page("lasting index", "", 9) == ("entry",)


def test_an_index_is_in_order_of_its_bytes(store: KeyValue) -> None:
    """Whatever order entries came in; the same entry twice is one."""
    entries = ["b", "a/2", "ä", "B", "a", "\U0001f600", "a|1", "﹏", "a"]
    for entry in entries:
        store.index_add("index", entry)
    assert store.index_page("index", "", 99) == tuple(sorted(set(entries), key=str.encode))


def test_an_index_pages_stably(store: KeyValue) -> None:
    """Entries added and removed before the position neither repeat nor skip others; an entry that is gone is
    a position.
    """
    for number in range(10):
        store.index_add("index", f"e{number}")
    assert store.index_page("index", "", 4) == ("e0", "e1", "e2", "e3")
    store.index_add("index", "e00")
    store.index_remove("index", "e3", "e1", "not there")
    assert store.index_page("index", "e3", 4) == ("e4", "e5", "e6", "e7")
    assert store.index_page("index", "e7", 4) == ("e8", "e9")
    assert store.index_page("index", "e9", 4) == ()
    assert store.index_page("unknown", "", 4) == ()


def test_an_index_is_trimmed_behind_a_position(store: KeyValue) -> None:
    """The position itself stays."""
    for entry in "abcde":
        store.index_add("index", entry, 60.0)
    store.index_trim("index", "c")
    assert store.index_page("index", "", 9) == ("a", "b", "c")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)),
    limit=st.integers(1, 5),
)
def test_pages_cover_an_index_once(store: KeyValue, entries: list[str], limit: int) -> None:
    """Page after page gives every entry exactly once, in order."""
    index = uuid.uuid4().hex
    for entry in entries:
        store.index_add(index, entry)
    seen: list[str] = []
    while page := store.index_page(index, seen[-1] if seen else "", limit):
        seen.extend(page)
    assert seen == sorted(set(entries), key=str.encode)


def test_memory_drops_the_least_recently_used() -> None:
    """Past the bytes, and past the number of entries; entries without a ttl stay."""
    size = 1000 + ENTRY_OVERHEAD
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
    store = MemoryKeyValue(max_bytes=2 * (1000 + ENTRY_OVERHEAD))
    store.put("a", b"x" * 1000)
    store.put("b", b"x" * 1000)
    with pytest.raises(StoreFull, match=str(2 * (1000 + ENTRY_OVERHEAD))):
        store.put("c", b"")
    store.put("b", b"y" * 1000)
    store.delete("a")
    store.put("c", b"x" * 1000)
    assert (store.get("a"), store.get("b"), store.get("c")) == (None, b"y" * 1000, b"x" * 1000)
    store.put("huge", b"x" * 10_000, 60.0)
    assert store.get("huge") is None


def test_memory_bounds_its_indexes() -> None:
    """The longest unwritten index goes first, then the end of the last one; those without a ttl stay."""
    store = MemoryKeyValue(max_entries=4)
    store.index_add("lasting", "entry")
    for entry in "abc":
        store.index_add("old", entry, 60.0)
    for entry in "dcba":
        store.index_add("new", entry, 60.0)
    assert store.index_page("old", "", 9) == ()
    store.index_add("new", "aa", 60.0)
    assert store.index_page("new", "", 9) == ("a", "aa", "b", "c")
    assert store.index_page("lasting", "", 9) == ("entry",)


def test_memory_forgets_at_the_ttl() -> None:
    """On a clock of the test's own: there just before, gone at the moment."""
    now = [0.0]
    store = MemoryKeyValue(clock=lambda: now[0])
    store.put("key", b"value", 5.0)
    store.index_add("index", "entry", 5.0)
    now[0] = 4.999
    assert store.get("key") == b"value"
    assert store.index_page("index", "", 9) == ("entry",)
    now[0] = 5.0
    assert store.get("key") is None
    assert store.index_page("index", "", 9) == ()


def test_pieces_leave_nothing_behind(redis_server: RedisServer) -> None:
    """A value in pieces lies under several keys; deleting it, or losing a put_if_absent, removes them all."""
    namespace = f"{uuid.uuid4()}:"
    redis = RedisKeyValue(redis_server.url, Observers([]), namespace=namespace)
    store = ChunkedStore(redis, piece_bytes=10)
    store.put("key", bytes(95), 60.0)
    keys = redis_server.client().keys(f"{namespace}*")
    assert len(keys) == 1 + 10
    assert all(redis_server.client().pttl(key) > 0 for key in keys)
    store.put_if_absent("key", b"y" * 95, 60.0)
    assert sorted(redis_server.client().keys(f"{namespace}*")) == sorted(keys)
    store.delete("key")
    assert redis_server.client().keys(f"{namespace}*") == []


def test_a_value_with_a_piece_missing_is_not_there(redis_server: RedisServer) -> None:
    """Nor is one of foreign bytes; putting it again repairs it."""
    namespace = f"{uuid.uuid4()}:"
    store = ChunkedStore(RedisKeyValue(redis_server.url, Observers([]), namespace=namespace), piece_bytes=10)
    store.put("key", bytes(95))
    redis_server.client().delete(next(redis_server.client().scan_iter(f"{namespace}key/*/3")))
    assert store.get("key") is None
    assert store.put_if_absent("key", bytes(95)) == bytes(95)
    assert store.get("key") == bytes(95)
    for foreign in (b"", b"\x02...", b"\x01short", b"\x01" + b"\xff" * 36):
        redis_server.client().set(f"{namespace}foreign", foreign)
        assert store.get("foreign") is None


def test_near_first_asks_the_shared_store_once(redis_server: RedisServer) -> None:
    """The second get of a key is answered without Redis; observers hear of every get."""
    heard = Heard()
    far = RedisKeyValue(redis_server.url, heard, namespace=f"{uuid.uuid4()}:")
    store = CachedStore(MemoryKeyValue(), far, "test", heard)
    far.put("key", b"value")
    assert store.get("key") == b"value"
    far.delete("key")
    assert store.get("key") == b"value"
    assert store.get("other") is None
    asked = heard.of(CacheAsked)
    assert [(record.cache, record.result) for record in asked] == [
        ("test", "hit"),
        ("test", "hit"),
        ("test", "miss"),
    ]
    assert all(record.seconds >= 0 for record in asked)


def test_far_first_follows_the_shared_store(redis_server: RedisServer) -> None:
    """What another replica changes or deletes is seen at once."""
    far = RedisKeyValue(redis_server.url, Observers([]), namespace=f"{uuid.uuid4()}:")
    store = FallbackStore(MemoryKeyValue(), far)
    store.put("key", b"value")
    far.put("key", b"changed")
    assert store.get("key") == b"changed"
    far.delete("key")
    assert store.get("key") is None
