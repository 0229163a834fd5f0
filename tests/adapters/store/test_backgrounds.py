"""Named backgrounds, in the process and in a real Redis."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator

import pytest
from adapters.store import redis_stores
from adapters.store.redis_stores import connected
from adapters.store.store_samples import NOON, Heard, background, stored
from redis_server import RedisServer, redis_server
from sequela.adapters.store.backgrounds import BackgroundStore
from sequela.adapters.store.page_tokens import page_token
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.sqlite.store import memory_store
from sequela.errors import AlreadyExists, InvalidInput, NotFound
from sequela.explain.ports import Backgrounds, Observers
from sequela.explain.telemetry import CacheLookup, EntrySkipped

__all__ = ["redis_server"]


@pytest.fixture(params=["memory", "redis"])
def shared(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The store below, as replicas share it."""
    if request.param == "memory":
        yield memory_store()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    redis = connected(server)
    yield redis_store(redis, chunk_bytes=100)
    redis.close()


@pytest.fixture
def here(shared: Store) -> Backgrounds:
    """One replica."""
    return BackgroundStore(shared, Observers([]))


@pytest.fixture
def there(shared: Store) -> Backgrounds:
    """Another one."""
    return BackgroundStore(shared, Observers([]))


def test_what_one_replica_creates_another_finds(here: Backgrounds, there: Backgrounds) -> None:
    """By name and by digest, with the values bit for bit and what they were averaged from."""
    made = stored(rows=50)
    created = here.create(made)
    found = there.get(made.name)
    for each in (created, found):
        assert each.background.digest == made.background.digest
        assert (each.name, each.create_time, each.sequences, each.averaged_events) == (
            made.name,
            NOON,
            12,
            345,
        )
    assert there.by_digest(made.background.digest).digest == made.background.digest


def test_creating_the_same_again_answers_what_is_there(here: Backgrounds, there: Backgrounds) -> None:
    """With its first time; other content under the name is refused, and leaves the first in place."""
    here.create(stored())
    again = there.create(type(stored())(stored().name, background()))
    assert again.create_time == NOON
    assert again.sequences == 12
    with pytest.raises(AlreadyExists) as error:
        there.create(stored(seed=1))
    assert error.value.reason == "BACKGROUND_EXISTS"
    assert here.get(stored().name).background.digest == background().digest
    with pytest.raises(NotFound):
        here.by_digest(background(1).digest)


def test_a_deleted_background_is_gone_everywhere(here: Backgrounds, there: Backgrounds) -> None:
    """At once, by name and in lists, though the other replica had it in its process; the name is free again."""
    here.create(stored())
    there.get(stored().name)
    here.delete(stored().name)
    for replica in (here, there):
        with pytest.raises(NotFound) as error:
            replica.get(stored().name)
        assert error.value.reason == "BACKGROUND_NOT_FOUND"
        assert replica.list("", 10, "").items == ()
    with pytest.raises(NotFound):
        there.delete(stored().name)
    assert there.create(stored(seed=1)).background.digest == background(1).digest


def test_two_names_for_the_same_values_live_apart(here: Backgrounds) -> None:
    """Deleting one does not touch the other."""
    here.create(stored("models/m/backgrounds/one"))
    here.create(stored("models/m/backgrounds/two"))
    here.delete("models/m/backgrounds/one")
    assert here.get("models/m/backgrounds/two").background.digest == background().digest


def test_an_inline_background_is_remembered(here: Backgrounds, there: Backgrounds) -> None:
    """By digest alone, on every replica; it has no name in any list."""
    here.remember(background(7))
    here.remember(background(7))
    assert there.by_digest(background(7).digest).digest == background(7).digest
    assert here.list("", 10, "").items == ()
    with pytest.raises(NotFound, match="f" * 64):
        here.by_digest("f" * 64)


def test_lists_page_by_name(here: Backgrounds) -> None:
    """All models, or one of them; every page full but the last; deletion between pages skips nothing."""
    names = [
        f"models/{model}/backgrounds/b{number}" for model in ("a", "a-b", "a2", "b") for number in range(3)
    ]
    for name in reversed(names):
        here.create(stored(name))

    def pages(model: str, size: int) -> list[list[str]]:
        found, token = [], ""
        while True:
            page = here.list(model, size, token)
            found.append([item.name for item in page.items])
            token = page.next_token
            if not token:
                return found

    assert list(itertools.chain(*pages("", 5))) == sorted(names)
    assert [len(page) for page in pages("", 5)] == [5, 5, 2]
    assert pages("models/a", 2) == [names[0:2], names[2:3]]
    assert pages("models/b", 3) == [names[9:12]]
    assert pages("models/none", 3) == [[]]
    first = here.list("", 2, "")
    here.delete(first.items[1].name)
    assert [item.name for item in here.list("", 2, first.next_token).items] == sorted(names)[2:4]


def test_a_list_has_the_values(here: Backgrounds) -> None:
    """What is listed is what get gives."""
    here.create(stored(rows=3))
    (listed,) = here.list("models/m", 10, "").items
    assert listed.background.digest == here.get(stored().name).background.digest


@pytest.mark.parametrize(
    "token", ["x", "!!!", "é", "QUJD", page_token("other list", "models/a"), page_token("", "")]
)
def test_a_forged_token_is_refused(here: Backgrounds, token: str) -> None:
    """Garbage, and tokens of other lists."""
    with pytest.raises(InvalidInput) as error:
        here.list("", 2, token)
    assert error.value.reason == "PAGE_TOKEN_INVALID"
    assert error.value.violations[0].field == "page_token"


def test_a_token_is_good_for_its_own_filter_only(here: Backgrounds) -> None:
    """The next page of one model is not a page of another."""
    for number in range(3):
        here.create(stored(f"models/a/backgrounds/b{number}"))
    token = here.list("models/a", 1, "").next_token
    with pytest.raises(InvalidInput):
        here.list("models/b", 1, token)


FOREIGN = (
    "",
    "a",
    "models/m/backgrounds/\udcff",
    "models/m/backgrounds/b/c",
    "\udcc3(",
    "models/m/backgrounds/z\n",
)


def test_foreign_names_are_skipped_and_counted(shared: Store) -> None:
    """Whatever another program wrote into the set, also what is not UTF-8: no page repeats or fails."""
    heard = Heard()
    backgrounds = BackgroundStore(shared, heard)
    for entry in FOREIGN:
        shared.index.add("backgrounds", entry.encode(errors="surrogateescape").decode(errors="replace"))
    for name in "ab":
        backgrounds.create(stored(f"models/m/backgrounds/{name}"))
    for size in (1, 2, 100):
        found, token = [], ""
        while True:
            page = backgrounds.list("", size, token)
            found += [item.name for item in page.items]
            token = page.next_token
            if not token:
                break
        assert found == ["models/m/backgrounds/a", "models/m/backgrounds/b"]
    assert {each.reason for each in heard.of(EntrySkipped)} == {"foreign"}


def test_names_that_are_not_utf_8_do_not_loop(redis_server: RedisServer) -> None:
    """As another program may write them to Redis."""
    connection, heard = connected(redis_server), Heard()
    shared = redis_store(connection)
    BackgroundStore(shared, heard).create(stored("models/m/backgrounds/a"))
    entries = {b"models/m/backgrounds/\xff" + bytes([number % 251 or 1]): 0 for number in range(250)}
    redis_server.client().zadd(f"{connection.namespace}backgrounds", entries)
    page = BackgroundStore(shared, heard).list("models/m", 10, "")
    assert [item.name for item in page.items] == ["models/m/backgrounds/a"]
    assert page.next_token == ""
    assert len(heard.of(EntrySkipped)) >= 249
    connection.close()


@pytest.mark.parametrize("part", ["background-name:", "background-named:"])
def test_damaged_bytes_are_a_miss_that_a_new_creation_repairs(redis_server: RedisServer, part: str) -> None:
    """Whether the name's record or its values are damaged."""
    namespace = f"{uuid.uuid4()}:"

    def replica() -> Backgrounds:
        return BackgroundStore(redis_stores.shared(redis_server, namespace=namespace), Observers([]))

    replica().create(stored())
    (key,) = redis_server.client().keys(f"{namespace}{part}*")
    for damage in (b"", b"garbage", redis_server.client().get(key)[:-1] + b"?"):
        redis_server.client().set(key, damage)
        with pytest.raises(NotFound):
            replica().get(stored().name)
        replica().create(stored())
        assert replica().get(stored().name).background.digest == background().digest
        assert [item.name for item in replica().list("", 10, "").items] == [stored().name]


def test_names_stay_and_digests_fade(redis_server: RedisServer) -> None:
    """In Redis: what has a name has no time to live, what is found by digest alone has one."""
    namespace = f"{uuid.uuid4()}:"
    redis = redis_stores.shared(redis_server, namespace=namespace)
    backgrounds = BackgroundStore(redis, Observers([]), digest_ttl_seconds=1000)
    backgrounds.create(stored())
    backgrounds.remember(background(1))
    client = redis_server.client()
    lives = {
        key.removeprefix(namespace.encode()).partition(b":")[0]: client.ttl(key)
        for key in client.keys(f"{namespace}*")
    }
    assert lives.pop(b"background") in range(900, 1001)
    assert lives == {b"background-name": -1, b"background-named": -1, b"backgrounds": -1}


def test_the_values_are_read_from_redis_once(redis_server: RedisServer) -> None:
    """After the first get they are found though they are gone from Redis; observers hear of hits alone."""
    namespace, heard = f"{uuid.uuid4()}:", Heard()
    BackgroundStore(redis_stores.shared(redis_server, heard, namespace), heard).create(stored())
    replica = BackgroundStore(redis_stores.shared(redis_server, heard, namespace), heard)
    replica.get(stored().name)
    redis_server.client().delete(*redis_server.client().keys(f"{namespace}background-named:*"))
    assert replica.get(stored().name).background.digest == background().digest
    assert {(record.cache, record.result) for record in heard.of(CacheLookup)} == {("background", "hit")}
