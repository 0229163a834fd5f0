"""What every index promises, whichever it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from adapters.store.redis_stores import connected, redis_cluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_server import RedisServer, redis_server
from sequela.adapters.store.ports import Index
from sequela.adapters.store.redis.backend import RedisIndex
from sequela.adapters.store.sqlite.store import memory_store

__all__ = ["redis_cluster", "redis_server"]


@pytest.fixture(params=["sqlite", "redis", pytest.param("cluster", marks=pytest.mark.slow)])
def index(request: pytest.FixtureRequest) -> Iterator[Index]:
    """Each kind of index, empty."""
    if request.param == "sqlite":
        yield memory_store().index
        return
    fixture = {"redis": "redis_server", "cluster": "redis_cluster"}[request.param]
    server: RedisServer = request.getfixturevalue(fixture)
    url = f"redis+cluster://127.0.0.1:{server.port}" if request.param == "cluster" else server.url
    connection = connected(server, url=url)
    yield RedisIndex(connection)
    connection.close()


def test_an_index_is_in_order_of_its_bytes(index: Index) -> None:
    """Whatever order entries came in; the same entry twice is one."""
    entries = ["b", "a/2", "ä", "B", "a", "\U0001f600", "a|1", "﹏", "a"]
    for entry in entries:
        index.add("list", entry)
    assert index.page("list", "", 99) == tuple(sorted(set(entries), key=str.encode))


def test_an_index_pages_stably(index: Index) -> None:
    """Entries added and removed before the position neither repeat nor skip others; an entry that is gone is
    a position.
    """
    for number in range(10):
        index.add("list", f"e{number}")
    assert index.page("list", "", 4) == ("e0", "e1", "e2", "e3")
    index.add("list", "e00")
    index.remove("list", "e3", "e1", "not there")
    assert index.page("list", "e3", 4) == ("e4", "e5", "e6", "e7")
    assert index.page("list", "e7", 4) == ("e8", "e9")
    assert index.page("list", "e9", 4) == ()
    assert index.page("unknown", "", 4) == ()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)),
    limit=st.integers(1, 5),
)
def test_pages_cover_an_index_once(index: Index, entries: list[str], limit: int) -> None:
    """Page after page gives every entry exactly once, in order."""
    name = uuid.uuid4().hex
    for entry in entries:
        index.add(name, entry)
    seen: list[str] = []
    while page := index.page(name, seen[-1] if seen else "", limit):
        seen.extend(page)
    assert seen == sorted(set(entries), key=str.encode)


def test_entries_that_are_not_utf_8_are_positions_too(redis_server: RedisServer) -> None:
    """Another program may have written them: no page repeats, and the entries around them are there."""
    connection = connected(redis_server)
    index = RedisIndex(connection)
    entries = [b"a", b"b\xff", b"b\xff\xfe", b"\xc3(", "ä".encode(), b"\xff"]
    for entry in entries:
        redis_server.client().zadd(f"{connection.namespace}list", {entry: 0})
    found: list[str] = []
    while page := index.page("list", found[-1] if found else "", 1):
        found.extend(page)
    assert [entry.encode(errors="surrogateescape") for entry in found] == sorted(entries)
    connection.close()
