"""What every index promises, whichever it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from adapters.store.redis_stores import connected, redis_cluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_server import RedisServer, eventually, redis_server
from sequela.adapters.store.memory import MemoryIndex
from sequela.adapters.store.ports import Index
from sequela.adapters.store.redis.backend import RedisIndex

__all__ = ["redis_cluster", "redis_server"]


@pytest.fixture(params=["memory", "redis", pytest.param("cluster", marks=pytest.mark.slow)])
def index(request: pytest.FixtureRequest) -> Iterator[Index]:
    """Each kind of index, empty."""
    if request.param == "memory":
        yield MemoryIndex()
        return
    fixture = {"redis": "redis_server", "cluster": "redis_cluster"}[request.param]
    server: RedisServer = request.getfixturevalue(fixture)
    url = f"redis+cluster://127.0.0.1:{server.port}" if request.param == "cluster" else server.url
    connection = connected(server, url=url)
    yield RedisIndex(connection)
    connection.close()


def test_a_list_goes_after_its_ttl(index: Index) -> None:
    """One with a short ttl is empty some time later, one without stays."""
    index.add("short", "entry", 0.05)
    index.add("lasting", "entry")
    eventually(lambda: index.page("short", "", 1) == ())
    assert index.page("lasting", "", 9) == ("entry",)


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


def test_an_index_is_trimmed_behind_a_position(index: Index) -> None:
    """The position itself stays."""
    for entry in "abcde":
        index.add("list", entry, 60.0)
    index.trim("list", "c")
    assert index.page("list", "", 9) == ("a", "b", "c")


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


def test_memory_bounds_its_indexes() -> None:
    """The longest unwritten index goes first, then the end of the last one; those without a ttl stay."""
    index = MemoryIndex(max_entries=4)
    index.add("lasting", "entry")
    for entry in "abc":
        index.add("old", entry, 60.0)
    for entry in "dcba":
        index.add("new", entry, 60.0)
    assert index.page("old", "", 9) == ()
    index.add("new", "aa", 60.0)
    assert index.page("new", "", 9) == ("a", "aa", "b", "c")
    assert index.page("lasting", "", 9) == ("entry",)


def test_memory_forgets_a_list_at_the_ttl() -> None:
    """On a clock of the test's own: there just before, gone at the moment."""
    now = [0.0]
    index = MemoryIndex(clock=lambda: now[0])
    index.add("list", "entry", 5.0)
    now[0] = 4.999
    assert index.page("list", "", 9) == ("entry",)
    now[0] = 5.0
    assert index.page("list", "", 9) == ()
