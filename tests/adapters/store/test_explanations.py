"""Explanations made before, in the process and in a real Redis."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from adapters.store import redis_stores
from adapters.store.redis_stores import connected
from adapters.store.store_samples import NOON, Heard, explanation
from redis_server import RedisServer, redis_server
from sequela.adapters.store import explanations as stored_explanations
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.memory import memory_store
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis.backend import redis_store
from sequela.errors import InvalidInput, NotFound
from sequela.explain.ports import Explanations, Filter, Observers
from sequela.explain.telemetry import CacheLookup

__all__ = ["redis_server"]


@pytest.fixture(params=["memory", "redis"])
def shared(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The store below, as replicas share it."""
    if request.param == "memory":
        yield memory_store()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    redis = connected(server)
    yield redis_store(redis)
    redis.close()


@pytest.fixture
def here(shared: Store) -> Explanations:
    """One replica."""
    return ExplanationStore(shared, Observers([]))


@pytest.fixture
def there(shared: Store) -> Explanations:
    """Another one."""
    return ExplanationStore(shared, Observers([]))


def names(store: Explanations, wanted: Filter | None = None, size: int = 100) -> list[str]:
    """The names of all pages together."""
    found, token = [], ""
    while True:
        page = store.list(wanted or Filter(), size, token)
        assert len(page.items) <= size
        found += [item.name for item in page.items]
        token = page.next_token
        if not token:
            return found


def test_an_explanation_is_found_exactly_as_it_was(here: Explanations, there: Explanations) -> None:
    """On every replica, by name and by the question's key."""
    made = explanation(1, caller_id="alert 1", labels={"team": "ato"})
    here.keep("key", made)
    for replica in (here, there):
        assert replica.get(made.name) == made
        assert replica.answer("key") == made
        assert replica.list(Filter(), 10, "").items == (made,)


def test_what_is_not_there(here: Explanations) -> None:
    """No answer, no page, and NotFound by name."""
    assert here.answer("unknown") is None
    assert names(here) == []
    with pytest.raises(NotFound) as error:
        here.get("explanations/none")
    assert error.value.reason == "EXPLANATION_NOT_FOUND"


def test_one_cut_short_is_kept_but_never_reused(here: Explanations, there: Explanations) -> None:
    """Its name and its lists have it; its key has nothing, or the complete one before."""
    here.keep("key", explanation(1, cut_short=True))
    for replica in (here, there):
        assert replica.answer("key") is None
        assert replica.get("explanations/e1").cut_short
        assert names(replica) == ["explanations/e1"]
    here.keep("key", explanation(2))
    here.keep("key", explanation(3, cut_short=True))
    for replica in (here, there):
        assert replica.answer("key") == explanation(2)


def test_one_cut_short_is_not_given_out_even_if_a_key_leads_to_it(shared: Store, here: Explanations) -> None:
    """Whatever wrote it there."""
    here.keep("key", explanation(1))
    ExplanationStore(shared, Observers([])).keep("other", dataclasses.replace(explanation(1), cut_short=True))
    assert ExplanationStore(shared, Observers([])).answer("key") is None


def test_lists_are_newest_first_and_page(here: Explanations) -> None:
    """Also for two of the same microsecond; what comes later does not shift the pages."""
    for number in (3, 0, 4, 1, 2):
        here.keep(f"key {number}", explanation(number))
    here.keep("twin", dataclasses.replace(explanation(2), name="explanations/e2-twin"))
    expected = [f"explanations/{name}" for name in ("e4", "e3", "e2", "e2-twin", "e1", "e0")]
    for size in (1, 2, 3, 6, 7):
        assert names(here, size=size) == expected
    first = here.list(Filter(), 2, "")
    here.keep("later", explanation(99))
    assert [item.name for item in here.list(Filter(), 2, first.next_token).items] == expected[2:4]


def test_an_explanation_made_again_is_listed_once(here: Explanations) -> None:
    """Under its name, at its new time, in every list it is in."""
    here.keep("key", explanation(1, caller_id="a"))
    here.keep("other", explanation(2, caller_id="a"))
    again = dataclasses.replace(explanation(1, caller_id="a"), create_time=NOON + timedelta(seconds=9))
    here.keep("key", again)
    for wanted in (Filter(), Filter(caller_id="a")):
        assert names(here, wanted) == ["explanations/e1", "explanations/e2"]
        assert here.list(wanted, 10, "").items[0] == again


def test_filters(here: Explanations) -> None:
    """Caller, model in any form of name, all labels, and times from start to before end; alone and together."""
    models = ["models/m/versions/1", "models/m/versions/2", "models/m2/versions/1"]
    for number in range(12):
        labels = {"parity": str(number % 2), "team": "ato"}
        made = explanation(number, caller_id=f"alert {number // 4}", model=models[number % 3], labels=labels)
        here.keep(f"key {number}", made)

    def found(**wanted: object) -> set[int]:
        listed = names(here, Filter(**wanted), 2)
        assert len(set(listed)) == len(listed)
        return {int(name.removeprefix("explanations/e")) for name in listed}

    assert found() == set(range(12))
    assert found(caller_id="alert 1") == {4, 5, 6, 7}
    assert found(caller_id="alert") == set()
    for form in ("models/m", "m"):
        assert found(model=form) == {0, 1, 3, 4, 6, 7, 9, 10}
    for form in ("models/m/versions/2", "m/2"):
        assert found(model=form) == {1, 4, 7, 10}
    assert found(labels={"parity": "1", "team": "ato"}) == {1, 3, 5, 7, 9, 11}
    assert found(labels={"team": "other"}) == set()
    start, end = NOON + timedelta(seconds=2), NOON + timedelta(seconds=9)
    assert found(start=start, end=end) == set(range(2, 9))
    assert found(start=start + timedelta(microseconds=1), end=end + timedelta(microseconds=1)) == set(
        range(3, 10)
    )
    assert found(start=end) == {9, 10, 11}
    assert found(end=start) == {0, 1}
    assert found(caller_id="alert 1", model="m", labels={"parity": "0"}, end=NOON + timedelta(seconds=6)) == {
        4
    }


def test_a_page_ends_where_it_has_looked_at_enough(
    here: Explanations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may then be empty and still have a next one; all together are complete."""
    monkeypatch.setattr(stored_explanations, "MAX_SCANNED_PER_PAGE", 4)
    for number in range(12):
        here.keep(f"key {number}", explanation(number, labels={"rare": "yes"} if number == 1 else {}))
    wanted = Filter(labels={"rare": "yes"})
    first = here.list(wanted, 10, "")
    assert first.items == ()
    assert first.next_token
    assert names(here, wanted) == ["explanations/e1"]
    assert len(names(here)) == 12


@pytest.mark.parametrize("token", ["x", "AAAAAAAAAAAAAAAA", "\N{SNOWMAN}"])
def test_a_forged_token_is_refused(here: Explanations, token: str) -> None:
    """Also one of another filter."""
    for number in range(3):
        here.keep(f"key {number}", explanation(number, caller_id="a"))
    for bad in (token, here.list(Filter(caller_id="a"), 1, "").next_token):
        with pytest.raises(InvalidInput) as error:
            here.list(Filter(), 1, bad)
        assert error.value.reason == "PAGE_TOKEN_INVALID"


def test_a_token_survives_labels_in_another_order(here: Explanations) -> None:
    """Another replica may have them in any."""
    for number in range(3):
        here.keep(f"key {number}", explanation(number, labels={"a": "1", "b": "2"}))
    token = here.list(Filter(labels={"a": "1", "b": "2"}), 1, "").next_token
    page = here.list(Filter(labels={"b": "2", "a": "1"}), 1, token)
    assert [item.name for item in page.items] == ["explanations/e1"]


def test_expired_explanations_leave_the_lists(redis_server: RedisServer) -> None:
    """Entries whose explanation is gone are skipped, and removed from the index."""
    namespace = f"{uuid.uuid4()}:"
    redis = redis_stores.shared(redis_server, namespace=namespace)
    store = ExplanationStore(redis, Observers([]))
    for number in range(5):
        store.keep(f"key {number}", explanation(number, caller_id="a"))
    redis_server.client().delete(
        f"{namespace}explanation:explanations/e3", f"{namespace}explanation:explanations/e0"
    )
    assert names(store, size=2) == [f"explanations/e{number}" for number in (4, 2, 1)]
    assert len(redis.index.page("explanations", "", 10)) == 3


def test_the_index_is_trimmed_while_it_is_written() -> None:
    """Explanations older than their time to live leave the index without anybody listing them."""
    shared = memory_store()
    store = ExplanationStore(shared, Observers([]), ttl_seconds=60)
    for number in range(100):  # made long ago by their own account
        store.keep(f"key {number}", explanation(number, caller_id="a"))
    assert shared.index.page("explanations", "", 10) == ()


def test_everything_in_redis_has_a_time_to_live(redis_server: RedisServer) -> None:
    """Values and indexes alike."""
    namespace = f"{uuid.uuid4()}:"
    redis = redis_stores.shared(redis_server, namespace=namespace)
    ExplanationStore(redis, Observers([]), ttl_seconds=1000).keep("key", explanation(1, caller_id="a"))
    keys = redis_server.client().keys(f"{namespace}*")
    assert len(keys) == 4
    assert all(900 < redis_server.client().ttl(key) <= 1000 for key in keys)


def test_damaged_bytes_are_a_miss(redis_server: RedisServer) -> None:
    """Of the explanation, or of the answer that names it: no answer, NotFound, an entry less, no crash."""
    namespace = f"{uuid.uuid4()}:"

    def replica() -> Explanations:
        return ExplanationStore(redis_stores.shared(redis_server, namespace=namespace), Observers([]))

    client, made = redis_server.client(), explanation(1)
    for damage in (b"", b"garbage", b"\x80\x04\x95"):
        replica().keep("key", made)
        client.set(f"{namespace}answer:key", damage)
        assert replica().answer("key") is None
        assert replica().get(made.name) == made
        client.set(f"{namespace}explanation:{made.name}", damage)
        replica().keep("other", explanation(2))
        assert names(replica()) == ["explanations/e2"]
        with pytest.raises(NotFound):
            replica().get(made.name)


def test_observers_hear_of_hits_and_misses() -> None:
    """An answer that is there, and one that is not."""
    heard = Heard()
    store = ExplanationStore(memory_store(), heard)
    store.answer("key")
    store.keep("key", explanation(1))
    store.answer("key")
    assert [(record.cache, record.result) for record in heard.of(CacheLookup)] == [
        ("answer", "miss"),
        ("answer", "hit"),
        ("explanation", "hit"),
    ]
