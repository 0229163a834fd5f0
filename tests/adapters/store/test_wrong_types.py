"""Keys that somebody else gave another Redis type: lost, said once, and no outage."""

from __future__ import annotations

import functools
import math
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from adapters.repository.replicas import repository, small
from adapters.store.redis_stores import PATIENT, connected
from adapters.store.store_samples import Heard, background, explanation, kept_sequence, stored
from redis.exceptions import ResponseError
from redis_server import RedisServer, redis_server, running
from sequela.adapters.store.backgrounds import BackgroundStore
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.ports import Store
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.errors import NotFound
from sequela.explain.explanation_query import CallerSelector, Filter
from sequela.explain.telemetry import StoreState
from structlog.testing import capture_logs
from waiting import eventually

__all__ = ["redis_server"]


class Spoiled:
    """A store on a namespace of its own, and the means to spoil it."""

    def __init__(self, server: RedisServer) -> None:
        self.namespace = f"{uuid.uuid4()}:"
        self.heard = Heard()
        self.redis = connected(server, self.heard, self.namespace)
        self.store = redis_store(self.redis)
        self._client = server.client()

    def spoil(self, *keys: str) -> list[str]:
        """Puts a Redis list in the place of each; the full names."""
        names = [self.namespace + key for key in keys]
        for name in names:
            self._client.delete(name)
            self._client.rpush(name, "foreign")
        return names

    def spoil_all(self, prefix: str) -> list[str]:
        """As `spoil`, for all keys that begin so."""
        found = sorted(key.decode() for key in self._client.keys(f"{self.namespace}{prefix}*"))
        assert found
        return self.spoil(*(name.removeprefix(self.namespace) for name in found))

    def kind(self, key: str) -> str:
        """Redis's type of a key."""
        return str(self._client.type(self.namespace + key).decode())


@pytest.fixture
def spoiled(redis_server: RedisServer) -> Iterator[Spoiled]:
    """Empty, not yet spoiled."""
    made = Spoiled(redis_server)
    yield made
    made.redis.close()


def corrupt(logged: list[dict[str, object]]) -> list[object]:
    """The keys that were logged as corrupt, at error level."""
    assert all(
        line["log_level"] == "error" for line in logged if line["event"] == "store key of wrong type deleted"
    )
    return [line["key"] for line in logged if line["event"] == "store key of wrong type deleted"]


def test_a_value_of_another_type_is_a_miss(spoiled: Spoiled) -> None:
    """Logged once, however often it is asked for; what is put next stands there."""
    (name,) = spoiled.spoil("key")
    with capture_logs() as logged:
        for _ in range(3):
            assert spoiled.store.values.get("key") is None
    assert corrupt(logged) == [name]
    spoiled.store.values.put("key", b"value")
    assert spoiled.store.values.get("key") == b"value"
    assert [record.up for record in spoiled.heard.of(StoreState)] == [True]


@pytest.mark.parametrize(
    "put",
    [
        lambda store: store.values.put("key", b"value", 60.0),
        lambda store: store.values.put_if_absent("key", b"value"),
        lambda store: store.values.put_if_absent("key", b"value", 60.0),
    ],
)
def test_a_value_is_put_over_another_type(spoiled: Spoiled, put: Callable[[Store], object]) -> None:
    """In every way of putting, without a get before."""
    spoiled.spoil("key")
    put(spoiled.store)
    assert spoiled.store.values.get("key") == b"value"


def test_an_index_of_another_type_is_empty(spoiled: Spoiled) -> None:
    """For every call; the first entry added begins it anew."""
    calls: list[Callable[[], object]] = [
        lambda: spoiled.store.index.page("index", "", 9),
        lambda: spoiled.store.index.remove("index", "entry"),
        lambda: spoiled.store.index.add("index", "entry"),
    ]
    for call in calls:
        (name,) = spoiled.spoil("index")
        with capture_logs() as logged:
            call()
        assert corrupt(logged) == [name]
    assert spoiled.store.index.page("index", "", 9) == ("entry",)


def test_replicas_that_meet_a_spoiled_index_lose_no_entry(spoiled: Spoiled) -> None:
    """Each adds one at the same moment, many times over: all entries are there, and one replica logged it."""
    together = threading.Barrier(4)

    def add(replica: int) -> None:
        together.wait()
        spoiled.store.index.add("index", f"entry {replica}")

    with ThreadPoolExecutor(4) as replicas:
        for _ in range(50):
            (name,) = spoiled.spoil("index")
            with capture_logs() as logged:
                list(replicas.map(add, range(4)))
            assert corrupt(logged) == [name]
            assert len(spoiled.store.index.page("index", "", 9)) == 4


@pytest.mark.slow
def test_a_cluster_drops_another_type_too() -> None:
    """Values and indexes, on whichever node they lie."""
    for server in running("--cluster-enabled", "yes"):
        server.client().execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        redis = RedisConnection(
            f"cluster://127.0.0.1:{server.port}", Heard(), PATIENT, probe_interval_seconds=0.05
        )
        store = redis_store(redis)
        eventually(redis.check)
        for key in ("sequela:v1:key", "sequela:v1:index"):
            eventually(functools.partial(_pushed, server, key))
        assert store.values.put_if_absent("key", b"value") == b"value"
        store.index.add("index", "entry")
        assert store.values.get("key") == b"value"
        assert store.index.page("index", "", 9) == ("entry",)
        redis.close()


def _pushed(server: RedisServer, key: str) -> bool:
    try:
        return server.client().rpush(key, "foreign") > 0
    except ResponseError:  # the cluster is not ready yet
        return False


def test_models_after_their_keys_were_spoiled(spoiled: Spoiled) -> None:
    """Lists are empty and names unknown, not an outage; registering again brings all back."""
    models = repository(store=spoiled.store)
    record = models.register("m", small(3), b"")
    spoiled.spoil("models")
    with capture_logs() as logged:
        assert models.list(50, "").items == models.list(50, "").items == ()
    assert corrupt(logged) == [f"{spoiled.namespace}models"]
    assert models.register("m", small(3), b"").name == record.name
    assert [each.name for each in models.list(50, "").items] == [record.name]
    spoiled.spoil_all("model")
    with pytest.raises(NotFound):
        repository(store=spoiled.store).get("m")
    assert models.register("m", small(3), b"").digest == record.digest
    assert repository(store=spoiled.store).get("m").digest == record.digest
    assert spoiled.kind("models") == "zset"


def test_backgrounds_after_their_keys_were_spoiled(spoiled: Spoiled) -> None:
    """Unknown by name and by digest, not listed; creating it again brings it back."""
    BackgroundStore(spoiled.store, spoiled.heard).create(stored())
    names = spoiled.spoil_all("background")
    fresh = BackgroundStore(spoiled.store, spoiled.heard)
    with capture_logs() as logged:
        assert fresh.list("", 10, "").items == ()
        for unknown in (
            lambda: fresh.get(stored().name),
            lambda: fresh.by_digest(background().digest),
            lambda: fresh.delete(stored().name),
        ):
            with pytest.raises(NotFound):
                unknown()
        fresh.create(stored())
    assert set(corrupt(logged)) <= set(names)
    assert len(corrupt(logged)) == len(set(corrupt(logged)))
    again = BackgroundStore(spoiled.store, spoiled.heard)
    assert again.get(stored().name).background.digest == background().digest
    assert [item.name for item in again.list("", 10, "").items] == [stored().name]


def keep(store: Store, number: int) -> None:
    """Keeps an explanation under a key."""
    made = explanation(number, caller_id="alert", labels={"team": "ato"})
    ExplanationStore(store.records, Heard()).keep("key", made, kept_sequence(), datetime.now(UTC))


def test_explanations_after_their_keys_were_spoiled(spoiled: Spoiled) -> None:
    """No answer and an empty list, and a deletion works; what is kept next is found again, in all indexes."""
    prefixes = ("record:", "answer:", "body:", "users:", "hours:", "made:", "deletions")
    keep(spoiled.store, 1)
    spoiled.store.records.delete(CallerSelector("other"), math.inf)
    for prefix in prefixes:
        spoiled.spoil_all(prefix)
    fresh = ExplanationStore(spoiled.store.records, spoiled.heard)
    assert fresh.answer("key") is None
    assert fresh.list(Filter(), 10, "").items == ()
    assert fresh.list(Filter(caller_id="alert"), 10, "").items == ()
    keep(spoiled.store, 2)
    again = ExplanationStore(spoiled.store.records, spoiled.heard)
    assert again.answer("key") == explanation(2, caller_id="alert", labels={"team": "ato"})
    for wanted in (Filter(), Filter(caller_id="alert"), Filter(labels={"team": "ato"})):
        assert [item.name for item in again.list(wanted, 10, "").items] == ["explanations/e2"]
    spoiled.spoil("deletions")
    assert again.delete(CallerSelector("alert"), math.inf).count == 1
    assert again.list(Filter(), 10, "").items == ()
