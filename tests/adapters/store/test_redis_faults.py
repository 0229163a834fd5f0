"""A real Redis that stops, hangs and comes back: nothing fails that need not, and observers are told."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from adapters.store.record_samples import record
from adapters.store.redis_stores import PATIENT, call_limit
from adapters.store.store_samples import Heard, background, stored
from redis_server import RedisServer, fragile_redis, running
from sequela.adapters.logs import LogObserver
from sequela.adapters.store.backgrounds import BackgroundStore
from sequela.adapters.store.cache import CachedStore
from sequela.adapters.store.memory import MemoryKeyValue
from sequela.adapters.store.ports import Store, StoreDown
from sequela.adapters.store.redis.backend import redis_store
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.errors import Unavailable
from sequela.explain.ports import Observer, Observers
from sequela.explain.telemetry import StoreState
from structlog.testing import capture_logs
from waiting import eventually

__all__ = ["fragile_redis"]

CALL_SECONDS = 0.3
FAR_TOO_LONG = 12.0
"""Seconds: many times the limit of a call; without it a call would take the 15 of PATIENT."""


def opened(server: RedisServer, observer: Observer, probe_interval_seconds: float = 0.05) -> RedisConnection:
    """The connection of one replica."""
    return RedisConnection(server.url, observer, PATIENT, probe_interval_seconds)


def shared(server: RedisServer, observer: Observer) -> Store:
    """The store of one replica."""
    return redis_store(opened(server, observer))


def states(heard: Heard) -> list[bool]:
    """What the observer was told of the store."""
    return [record.up for record in heard.of(StoreState)]


def within_time(call: Callable[[], object]) -> object:
    """The call's answer; it fails when there is none in a time that only a hanging call takes."""
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(_answer(call)), daemon=True)
    thread.start()
    thread.join(FAR_TOO_LONG)
    assert answers, "the call hangs"
    return answers[0]


def _answer(call: Callable[[], object]) -> object:
    try:
        return call()
    except StoreDown as error:
        return error


def test_backgrounds_while_redis_is_stopped(fragile_redis: RedisServer) -> None:
    """What the process has seen is found, by name and by digest; changes are refused, not lost."""
    heard = Heard()
    store = BackgroundStore(shared(fragile_redis, heard), heard)
    store.create(stored())
    fragile_redis.stop()
    assert store.get(stored().name).background.digest == background().digest
    assert store.by_digest(background().digest).digest == background().digest
    store.remember(background(5))
    assert store.by_digest(background(5).digest).digest == background(5).digest
    for refused in (
        lambda: store.create(stored("models/m/backgrounds/new")),
        lambda: store.delete(stored().name),
        lambda: store.list("", 10, ""),
        lambda: store.get("models/m/backgrounds/unknown"),
        lambda: store.by_digest("f" * 64),
    ):
        with pytest.raises(Unavailable) as error:
            refused()
        assert error.value.retry_after == 1.0

    fragile_redis.start()
    eventually(lambda: states(heard) == [True, False, True])
    assert [item.name for item in store.list("", 10, "").items] == [stored().name]
    store.create(stored("models/m/backgrounds/new"))
    store.delete(stored().name)
    assert [item.name for item in store.list("", 10, "").items] == ["models/m/backgrounds/new"]


def test_backgrounds_survive_a_restart_of_the_server(fragile_redis: RedisServer) -> None:
    """A new store object on the same Redis, and a Redis that was itself started again, have them bit for bit."""
    BackgroundStore(shared(fragile_redis, Heard()), Heard()).create(stored(rows=100))
    fragile_redis.stop()
    fragile_redis.start()
    store = BackgroundStore(shared(fragile_redis, Heard()), Heard())
    found = store.get(stored().name)
    assert found.background.digest == background(rows=100).digest
    assert (found.create_time, found.sequences) == (stored().create_time, 12)
    assert [item.name for item in store.list("models/m", 10, "").items] == [stored().name]


def test_a_redis_that_hangs_holds_nobody_up(fragile_redis: RedisServer) -> None:
    """Every call returns within the timeouts, on connections open before and on new ones; afterwards it comes back."""
    heard = Heard()
    connection, fresh_connection = opened(fragile_redis, heard), opened(fragile_redis, Heard())
    redis, fresh = redis_store(connection), redis_store(fresh_connection)
    redis.values.put("key", b"value")
    fragile_redis.pause()
    with call_limit(connection, CALL_SECONDS), call_limit(fresh_connection, CALL_SECONDS):
        assert isinstance(within_time(lambda: redis.values.get("key")), StoreDown)
        assert states(heard) == [True, False]
        assert isinstance(within_time(lambda: fresh.values.put("key", b"value")), StoreDown)
        assert isinstance(within_time(lambda: fresh.index.add("index", "entry")), StoreDown)
        assert within_time(fresh_connection.check) is False
    fragile_redis.resume()
    eventually(lambda: states(heard) == [True, False, True])
    assert redis.values.get("key") == b"value"
    eventually(fresh_connection.check)


def test_refused_calls_do_not_touch_redis(fragile_redis: RedisServer) -> None:
    """After the first failure, with the probe an hour away, a thousand calls take no time at all."""
    redis = opened(fragile_redis, Heard(), probe_interval_seconds=3600)
    values = redis_store(redis).values
    redis.check()
    fragile_redis.pause()
    with call_limit(redis, CALL_SECONDS), pytest.raises(StoreDown):
        values.get("key")

    def thousand() -> int:
        return sum(isinstance(_answer(lambda: values.get("key")), StoreDown) for _ in range(1000))

    assert within_time(thousand) == 1000  # a thousand timeouts would be minutes
    redis.close()


def test_many_threads_meet_one_failure(
    fragile_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight threads at work while Redis goes and comes: no error but StoreDown; each change told and logged once. A
    call that began before Redis went may fail only after it has come back, which is one more change.
    """
    heard = Heard()
    redis = shared(fragile_redis, Observers([heard, LogObserver()]))
    store = CachedStore(MemoryKeyValue(), redis.values, "test", heard)
    stop, wrong = threading.Event(), []

    def work(number: int) -> None:
        while not stop.is_set():
            try:
                store.put(f"key {number}", b"value")
                store.get(f"other {number}")
            except StoreDown:
                time.sleep(0.001)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        eventually(lambda: states(heard)[-1:] == [True])
        fragile_redis.stop()
        eventually(lambda: states(heard)[-1:] == [False])
        fragile_redis.start()
        eventually(lambda: states(heard)[-1:] == [True])
    stop.set()
    for thread in threads:
        thread.join()
    eventually(lambda: states(heard)[-1:] == [True])
    assert wrong == []
    told = states(heard)
    assert told == [True, False] * (len(told) // 2) + [True]
    assert 2 <= told.count(False) <= 2 + len(threads)  # far fewer than calls failed
    assert capsys.readouterr().out.count("store down") == told.count(False)


def test_a_redis_absent_at_the_start_is_found_later(fragile_redis: RedisServer) -> None:
    """Opening a store needs no Redis; observers hear first that it is down, then that it came."""
    fragile_redis.stop()
    heard = Heard()
    redis = opened(fragile_redis, heard)
    assert redis.check() is False
    assert states(heard) == [False]
    fragile_redis.start()
    eventually(lambda: states(heard) == [False, True])
    assert redis.check() is True


def test_a_refusal_of_redis_is_no_outage(fragile_redis: RedisServer) -> None:
    """Out of memory: writing fails with StoreDown, which stores live with, while reading goes on. Redis's own
    words are logged once for each way it says so, and not told to the caller.
    """
    heard = Heard()
    store = shared(fragile_redis, heard)
    store.values.put("key", b"value")
    fragile_redis.client().config_set("maxmemory", "1")
    with capture_logs() as logged:
        for number in range(3):
            with pytest.raises(StoreDown, match="refused") as error:
                store.values.put(f"other {number}", b"value")
            with pytest.raises(StoreDown, match="refused"):  # whatever an entry reads like
                store.index.add("index", f"WRONGTYPE Operation {number}")
    assert "maxmemory" not in str(error.value)
    assert [(line["event"], line["log_level"]) for line in logged] == [("store refused a call", "error")]
    assert "maxmemory" in logged[0]["detail"]
    assert store.values.get("key") == b"value"
    with pytest.raises(StoreDown, match="refused"):
        store.records.add(record(1), b"", None)
    assert states(heard) == [True]


def test_a_redis_that_only_refuses_is_up(fragile_redis: RedisServer) -> None:
    """It answers: the check says so, and observers hear it, though no call ever worked."""
    fragile_redis.client().execute_command("ACL", "SETUSER", "barred", "on", ">secret", "-@all")
    heard = Heard()
    url = f"redis://barred:secret@127.0.0.1:{fragile_redis.port}"
    redis = RedisConnection(url, heard, PATIENT)
    assert redis.check() is True
    assert states(heard) == [True]
    with pytest.raises(StoreDown, match="refused"):
        redis_store(redis).values.get("key")
    redis.close()


@pytest.mark.slow
def test_a_cluster_absent_at_the_start_is_found_later() -> None:
    """A cluster's client asks for its nodes when it is made: that too happens within the breaker. One that is
    still being set up, so that no node has slots, is as good as absent.
    """
    for server in running("--cluster-enabled", "yes"):
        server.stop()
        heard = Heard()
        redis = RedisConnection(
            f"cluster://127.0.0.1:{server.port}", heard, PATIENT, probe_interval_seconds=0.05
        )
        assert redis.check() is False
        server.start()
        unready = RedisConnection(f"cluster://127.0.0.1:{server.port}", Heard(), PATIENT)
        assert unready.check() is False
        unready.close()
        server.client().execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        eventually(redis.check)
        assert states(heard) == [False, True]
        values = redis_store(redis).values
        values.put("key", b"value")
        assert values.get("key") == b"value"
        server.stop()
        assert redis.check() is False
        redis.close()


def test_what_is_not_redis_is_down() -> None:
    """A server that answers in another protocol: an outage, told once."""

    class Web(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    heard = Heard()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        redis = RedisConnection(
            f"redis://127.0.0.1:{server.server_address[1]}", heard, PATIENT, probe_interval_seconds=3600
        )
        assert redis.check() is False
        server.shutdown()
    (record,) = heard.of(StoreState)
    assert not record.up
    assert "InvalidResponse" in record.detail
    redis.close()


def test_a_wrong_password_is_told(fragile_redis: RedisServer) -> None:
    """As an outage; Redis's own words go to observers, without the password, and not to the caller."""
    fragile_redis.client().config_set("requirepass", "secret")
    heard, address = Heard(), f"127.0.0.1:{fragile_redis.port}"
    redis = RedisConnection(f"redis://:wrong-one@{address}", heard, PATIENT, probe_interval_seconds=3600)
    for _ in range(2):
        with pytest.raises(StoreDown) as error:
            redis_store(redis).values.get("key")
        assert "password" not in error.value.message
        assert "wrong-one" not in error.value.message
    (record,) = heard.of(StoreState)
    assert (record.up, "password" in record.detail, "wrong-one" in record.detail) == (False, True, False)
    assert RedisConnection(f"redis://:secret@{address}", Observers([]), PATIENT).check()
    redis.close()


@pytest.mark.slow
def test_sentinels_lead_to_the_master(fragile_redis: RedisServer, tmp_path: Path) -> None:
    """A real sentinel is asked where the master is; one that is not there is passed over."""
    config = tmp_path / "sentinel.conf"
    config.write_text(f"sentinel monitor mymaster 127.0.0.1 {fragile_redis.port} 1\n")
    for sentinel in running(str(config), "--sentinel"):
        hosts = f"127.0.0.1:1,127.0.0.1:{sentinel.port}"
        redis = RedisConnection(f"sentinel://{hosts}/mymaster/1", Observers([]), PATIENT)
        values = redis_store(redis).values
        values.put("key", b"value")
        assert values.get("key") == b"value"
        redis.close()
        unknown = RedisConnection(f"sentinel://{hosts}/other", Observers([]), PATIENT)
        assert unknown.check() is False
        unknown.close()
