"""Leases of every store that replicas share, and what they compute once with them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from adapters.store.backends import opened, redis_server, three_nodes, valkey_server
from adapters.store.redis_stores import call_limit, connected
from adapters.store.store_samples import Heard, explanation, kept_sequence
from redis_server import RedisServer, fragile_redis
from sequela.adapters.store.explanations import ExplanationStore
from sequela.adapters.store.ports import Leases, Store, StoreDown
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.sqlite.store import file_store, memory_store
from sequela.concurrency.deadline import Deadline, DeadlinePassed
from sequela.concurrency.replica_flights import ReplicaFlights
from sequela.errors import Cancelled
from sequela.explain.explanation import Explanation
from waiting import eventually

__all__ = ["fragile_redis", "redis_server", "three_nodes", "valkey_server"]


@pytest.fixture(params=["redis", "valkey", "outbox", pytest.param("cluster", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind that replicas share."""
    made = opened(request, tmp_path)
    yield made
    made.close()


def held(store: Store, key: str) -> bool:
    """Whether somebody holds a lease."""
    token = store.leases.take(key, 60.0)
    if token is not None:
        store.leases.release(key, token)
    return token is None


@pytest.mark.parametrize("backend", ["memory", "file"])
def test_a_store_of_one_process_needs_none(backend: str, tmp_path: Path) -> None:
    """The server itself sees to it that it computes an answer once."""
    made = memory_store() if backend == "memory" else file_store(tmp_path / "store.db")
    assert made.leases is None
    made.close()


def test_one_holds_a_lease_at_a_time(store: Store) -> None:
    """Until it is given back; another key is another lease."""
    token = store.leases.take("key", 60.0)
    assert token
    assert held(store, "key")
    assert store.leases.take("key", 60.0) is None
    assert store.leases.take("other", 60.0)
    store.leases.release("key", token)
    assert not held(store, "key")
    assert store.leases.take("key", 60.0) not in (None, token)


def test_a_lease_ends_by_itself(store: Store) -> None:
    """And its former holder cannot give back what another one holds by then."""
    former = store.leases.take("key", 0.05)
    eventually(lambda: not held(store, "key"))
    assert store.leases.take("key", 60.0)
    store.leases.release("key", former)
    assert held(store, "key")
    store.leases.release("unknown", "token")


def test_a_renewed_lease_holds_longer(store: Store) -> None:
    """Only its holder can renew it, and not after it has expired."""
    token = store.leases.take("key", 60.0)
    assert store.leases.renew("key", token, 0.05)
    eventually(lambda: not held(store, "key"))
    assert not store.leases.renew("key", token, 60.0)
    assert not held(store, "key")
    token = store.leases.take("key", 60.0)
    assert not store.leases.renew("key", "token", 0.001)
    assert held(store, "key")
    store.leases.release("key", token)
    assert not store.leases.renew("key", token, 60.0)


class Replica:
    """What the explainer does with an answer, on a connection of its own. `compute` counts its calls in `computed`."""

    def __init__(self, server: RedisServer, namespace: str) -> None:
        self.store = redis_store(connected(server, namespace=namespace))
        self.explanations = ExplanationStore(self.store.records, Heard())
        self.flights = ReplicaFlights(self.store.leases)
        self.computed = 0

    def explain(
        self, deadline: Deadline, compute: Callable[[], Explanation] = lambda: explanation(1)
    ) -> Explanation:
        with self.flights.lead("key", deadline):
            found = self.explanations.answer("key")
            if found is None:
                self.computed += 1
                found = compute()
                self.explanations.keep("key", found, kept_sequence(), datetime.now(UTC))
            return found


@pytest.fixture
def replicas(redis_server: RedisServer, request: pytest.FixtureRequest) -> Iterator[list[Replica]]:
    """Two replicas on one Redis."""
    made = [Replica(redis_server, f"{request.node.name}:") for _ in range(2)]
    yield made
    for each in made:
        each.store.close()


def test_two_replicas_compute_an_answer_once(replicas: list[Replica]) -> None:
    """Eight callers of each ask at the same time; all get the same answer."""
    start = threading.Barrier(16)

    def compute() -> Explanation:
        time.sleep(0.1)  # longer than it takes the others to ask
        return explanation(1)

    def ask(number: int) -> Explanation:
        start.wait()
        return replicas[number % 2].explain(Deadline(60), compute)

    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(ask, range(16)))
    assert sum(each.computed for each in replicas) == 1
    assert all(each == answers[0] for each in answers)


def test_a_waiter_computes_if_the_holder_fails_or_dies(replicas: list[Replica]) -> None:
    """At once if it fails; when its lease ends, if it dies without a word."""
    first, second = replicas

    def fail() -> Explanation:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        first.explain(Deadline(60), fail)
    assert not held(first.store, "key")
    assert first.store.leases.take("key", 0.2)  # and dies
    assert second.explain(Deadline(60)) == explanation(1)
    assert second.computed == 1


class CountedRenewals:
    """Leases that note whether each renewal succeeded."""

    def __init__(self, leases: Leases) -> None:
        self.take, self.release, self._renew = leases.take, leases.release, leases.renew
        self.renewed: list[bool] = []

    def renew(self, key: str, token: str, seconds: float) -> bool:
        self.renewed.append(self._renew(key, token, seconds))
        return self.renewed[-1]


@pytest.mark.slow
def test_a_lease_holds_while_its_holder_works(redis_server: RedisServer) -> None:
    """However long that takes: nobody else gets it before the work is done, and everybody may have it afterwards."""
    store = redis_store(connected(redis_server))
    leases = CountedRenewals(store.leases)
    flights = ReplicaFlights(leases, lease_seconds=9.0)
    with flights.lead("key", Deadline(60)):
        # One every 3 seconds: without them it would have expired.
        eventually(lambda: len(leases.renewed) >= 4)
        assert held(store, "key")
    assert not held(store, "key")
    assert all(leases.renewed)
    eventually(lambda: "renew-leases" not in {thread.name for thread in threading.enumerate()})
    with flights.lead("key", Deadline(60)):
        eventually(lambda: len(leases.renewed) >= 5)  # by another thread
    store.close()


def test_nobody_waits_longer_than_he_can(replicas: list[Replica]) -> None:
    """Half of his time, then he computes; not at all if he only asks whether it is free, or has cancelled."""
    first, second = replicas
    token = first.store.leases.take("key", 3600.0)
    assert second.explain(Deadline(1.0)) == explanation(1)
    assert second.computed == 1
    assert held(first.store, "key")  # it was not his to give back
    with pytest.raises(DeadlinePassed), second.flights.lead("key", Deadline(0.0)):
        raise AssertionError
    cancelled = Deadline(math.inf)
    threading.Timer(0.05, cancelled.cancel).start()
    with pytest.raises(Cancelled), second.flights.lead("key", cancelled):
        raise AssertionError
    first.store.leases.release("key", token)
    with second.flights.lead("key", Deadline(0.0)):
        assert held(first.store, "key")


def test_without_redis_everybody_computes(fragile_redis: RedisServer) -> None:
    """A lease that cannot be taken or given back stops nobody."""
    replica = Replica(fragile_redis, "down:")
    with replica.flights.lead("key", Deadline(60)):
        fragile_redis.stop()
    assert replica.explain(Deadline(60)) == explanation(1)
    replica.store.close()


def end_while_down(leases: Leases, server: RedisServer) -> None:
    """Takes a lease, and cannot give it back, because Redis is down. Redis then starts again."""
    token = leases.take("key", 3600.0)
    server.stop()
    with pytest.raises(StoreDown):
        leases.release("key", token)
    server.start()


def test_a_lease_of_a_holder_who_ended_while_redis_was_down_is_free(fragile_redis: RedisServer) -> None:
    """As soon as Redis is back, although Redis still has the lease."""
    redis = connected(fragile_redis)
    leases = redis_store(redis).leases
    end_while_down(leases, fragile_redis)
    eventually(lambda: redis.is_up)
    assert leases.take("key", 60.0)
    redis.close()


def test_a_lease_that_redis_did_not_confirm_is_free(fragile_redis: RedisServer) -> None:
    """Redis carries out the command after its pause, when whoever sent it no longer waits for the lease."""
    redis = connected(fragile_redis)
    leases = redis_store(redis).leases
    assert redis.check()
    fragile_redis.pause()
    with call_limit(redis, 0.3), pytest.raises(StoreDown):
        leases.take("key", 3600.0)
    fragile_redis.resume()
    eventually(lambda: redis.is_up)
    assert leases.take("key", 60.0)
    redis.close()


def test_a_lease_that_somebody_else_has_taken_meanwhile_is_not_given_back(fragile_redis: RedisServer) -> None:
    """The first holder's lease expired while Redis was down."""
    redis, other = connected(fragile_redis, namespace="n:"), connected(fragile_redis, namespace="n:")
    leases = redis_store(redis).leases
    end_while_down(leases, fragile_redis)
    fragile_redis.client().set("n:lease:key", "another token")
    eventually(lambda: redis.is_up)
    assert held(redis_store(other), "key")
    redis.close()
    other.close()
