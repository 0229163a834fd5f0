"""What is owed to Redis while it is down: kept in a file, found meanwhile, sent later, and never lost unsaid."""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import os
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from adapters.store.outbox_contents import files, owed
from adapters.store.record_samples import BODY, delete, listed, record, stored
from adapters.store.redis_stores import PATIENT
from adapters.store.store_samples import Heard
from redis_server import RedisServer, fragile_redis
from sequela.adapters.store.outbox.folder import OutboxFolder
from sequela.adapters.store.ports import Addition, Store, StoreDown
from sequela.adapters.store.redis.connection import RedisConnection
from sequela.adapters.store.shared_store import SharedStoreOptions, shared_store
from sequela.explain.explanation_query import CallerSelector, LabelSelector, NameSelector
from sequela.explain.ports import Observer
from sequela.explain.telemetry import ExplanationsOwed
from structlog.testing import capture_logs
from waiting import PATIENCE, eventually

__all__ = ["fragile_redis"]

NAMESPACE = "owed:"


def replica(server: RedisServer, folder: Path, observer: Observer | None = None, **changed: object) -> Store:
    """The store of one server, which probes Redis often, and keeps no copies."""
    redis = RedisConnection(
        server.url, observer or Heard(), PATIENT, probe_interval_seconds=0.05, namespace=NAMESPACE
    )
    options = SharedStoreOptions(folder, retry_seconds=0.05, copy_seconds=1e-9, close_seconds=0.2)
    return shared_store(redis, dataclasses.replace(options, **changed))


@pytest.fixture
def open_replica(fragile_redis: RedisServer, tmp_path: Path) -> Iterator[Callable[..., Store]]:
    """Opens replicas whose outboxes share a folder, and closes them."""
    made: list[Store] = []

    def start(observer: Observer | None = None, **changed: object) -> Store:
        made.append(replica(fragile_redis, tmp_path / "outbox", observer, **changed))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_what_is_made_while_redis_is_down_is_found_and_sent(
    fragile_redis: RedisServer, open_replica: Callable[..., Store]
) -> None:
    """By name and key meanwhile, in the order of the latest; afterwards by other replicas and in lists, all of it."""
    heard = Heard()
    here = open_replica(heard)
    here.records.add(record(0), BODY, "key")
    fragile_redis.stop()
    made = [record(number, caller_id="alert") for number in range(200)]
    for each in made:
        here.records.add(each, BODY, "key")
    assert here.records.get("explanations/e3") == stored(made[3])
    assert here.records.answer("key") == stored(made[199])
    with pytest.raises(StoreDown):
        here.records.get("explanations/unknown")
    with pytest.raises(StoreDown):
        listed(here.records)
    assert owed(heard)[-1] == 200
    fragile_redis.start()
    there = open_replica()
    eventually(lambda: owed(heard)[-1] == 0)
    assert listed(there.records) == [f"e{number}" for number in reversed(range(200))]
    assert there.records.get("explanations/e0") == stored(made[0])
    assert there.records.answer("key") == stored(made[199])


def test_what_is_owed_outlives_its_server(
    fragile_redis: RedisServer, open_replica: Callable[..., Store], tmp_path: Path
) -> None:
    """A server that stops while Redis is down leaves its file, says so, and the next server on the host sends it."""
    first = open_replica()
    fragile_redis.stop()
    for number in range(5):
        first.records.add(record(number), BODY, f"key {number}")
    with capture_logs() as logged:
        first.close()
    (line,) = (each for each in logged if each["event"] == "explanations owed")
    assert (line["explanations"], line["folder"]) == (5, str(tmp_path / "outbox"))
    (name,) = files(tmp_path / "outbox")
    assert stat.S_IMODE((tmp_path / "outbox" / name).stat().st_mode) == 0o600
    heard = Heard()
    second = open_replica(heard)
    eventually(lambda: owed(heard)[-1:] == [5])
    assert second.records.get("explanations/e4") is not None
    fragile_redis.start()
    eventually(lambda: owed(heard)[-1] == 0)
    eventually(lambda: _works(second))  # a call from before may fail only now
    assert listed(second.records) == ["e4", "e3", "e2", "e1", "e0"]
    assert second.records.answer("key 2").record.summary.name == "explanations/e2"
    second.close()
    assert files(tmp_path / "outbox") == []


def _owe_and_wait(url: str, folder: Path, count: int, ready: object) -> None:
    store = shared_store(
        RedisConnection(url, Heard(), PATIENT, namespace=NAMESPACE), SharedStoreOptions(folder)
    )
    for number in range(count):
        store.records.add(record(number), BODY, None)
    ready.set()
    signal.pause()


def test_a_killed_server_loses_nothing(
    fragile_redis: RedisServer, open_replica: Callable[..., Store], tmp_path: Path
) -> None:
    """SIGKILL while it owes: its file is taken over by a server that starts later, and by none while it lived."""
    fragile_redis.stop()
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    other = spawn.Process(
        target=_owe_and_wait, args=(fragile_redis.url, tmp_path / "outbox", 7, ready), daemon=True
    )
    other.start()
    assert ready.wait(60)
    beside = OutboxFolder(tmp_path / "outbox", 1 << 20)
    assert beside.adopt() == 0
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    beside.close()
    fragile_redis.start()
    here = open_replica()
    eventually(lambda: listed(here.records) == [f"e{number}" for number in reversed(range(7))])


def test_a_deletion_reaches_what_is_owed(
    fragile_redis: RedisServer, open_replica: Callable[..., Store]
) -> None:
    """While Redis is down it deletes what this server owes, and fails, since others may have more. Once Redis is back
    it covers what another replica still owes, and has not sent.
    """
    here, there = open_replica(), open_replica(retry_seconds=3600.0, close_seconds=PATIENCE)
    fragile_redis.stop()
    for number, selector in enumerate(
        (CallerSelector("a"), LabelSelector("k", "v"), NameSelector("explanations/e2"))
    ):
        each = record(number, caller_id="a" if number == 0 else "", labels={"k": "v"} if number == 1 else {})
        here.records.add(each, BODY, None)
        there.records.add(each, BODY, None)
        with pytest.raises(StoreDown):
            here.records.delete(selector, math.inf)
        with pytest.raises(StoreDown):
            here.records.get(each.summary.name)
        assert there.records.get(each.summary.name) is not None
    there.records.add(record(3), BODY, None)
    fragile_redis.start()
    eventually(lambda: _works(here))
    assert delete(here.records, CallerSelector("a")) == 0
    delete(here.records, LabelSelector("k", "v"))
    delete(here.records, NameSelector("explanations/e2"))
    for number in range(3):  # found in the outbox, but deleted
        eventually(lambda number=number: _get(there, number) is None)
    assert _get(there, 3) is not None
    there.close()  # which sends
    assert listed(here.records) == ["e3"]


def _works(store: Store) -> bool:
    try:
        listed(store.records)
    except StoreDown:
        return False
    return True


def _get(store: Store, number: int) -> object:
    try:
        return store.records.get(f"explanations/e{number}")
    except StoreDown:
        return StoreDown


def test_a_later_explanation_of_the_same_name_wins(
    fragile_redis: RedisServer, open_replica: Callable[..., Store]
) -> None:
    """Whether it is made while the earlier one waits, or after Redis is back."""
    here = open_replica(retry_seconds=3600.0, close_seconds=PATIENCE)
    fragile_redis.stop()
    here.records.add(record(1, caller_id="first"), BODY, None)
    here.records.add(record(1, caller_id="second"), BODY, None)
    here.records.add(record(2, caller_id="first"), BODY, None)
    assert here.records.get("explanations/e1").record.summary.caller_id == "second"
    fragile_redis.start()
    eventually(lambda: _works(here))
    here.records.add(record(2, caller_id="second"), BODY, None)
    here.close()
    there = open_replica()
    for number in (1, 2):
        assert there.records.get(f"explanations/e{number}").record.summary.caller_id == "second"


def test_a_full_outbox_drops_the_oldest_and_says_so(
    fragile_redis: RedisServer, open_replica: Callable[..., Store]
) -> None:
    """Its limit holds for all that waits; each one dropped is counted."""
    heard = Heard()
    here = open_replica(heard, owed_bytes=1 << 20)
    fragile_redis.stop()
    for number in range(20):
        here.records.add(record(number), bytes(100_000), None)
    dropped = sum(each.dropped for each in heard.of(ExplanationsOwed))
    assert owed(heard)[-1] + dropped == 20
    assert 8 <= owed(heard)[-1] <= 10
    assert here.records.get("explanations/e19") is not None
    with pytest.raises(StoreDown):
        here.records.get("explanations/e0")


def test_a_redis_that_refuses_is_owed_too(
    fragile_redis: RedisServer, open_replica: Callable[..., Store]
) -> None:
    """Out of memory is no outage, but nothing is lost by it."""
    heard = Heard()
    here = open_replica(heard)
    fragile_redis.client().config_set("maxmemory", "1")
    for number in range(3):
        here.records.add(record(number), BODY, None)
    assert owed(heard)[-1] == 3
    assert here.records.get("explanations/e2") is not None
    fragile_redis.client().config_set("maxmemory", "0")
    eventually(lambda: owed(heard)[-1] == 0)
    assert listed(here.records) == ["e2", "e1", "e0"]


def test_what_expires_while_it_waits_is_not_sent(
    fragile_redis: RedisServer, open_replica: Callable[..., Store]
) -> None:
    """Nor kept."""
    heard = Heard()
    here = open_replica(heard)
    fragile_redis.stop()
    here.records.add(record(1, expires=datetime.now(UTC) - timedelta(seconds=1)), BODY, None)
    fragile_redis.start()
    eventually(lambda: owed(heard)[-1] == 0)
    eventually(lambda: _works(here))
    assert listed(here.records) == []


def test_without_a_folder_the_outbox_is_in_memory(
    fragile_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only file system: the server starts, a warning says so, and an outage is survived all the same."""
    (tmp_path / "file").write_text("")
    heard = Heard()
    with capture_logs() as logged:
        here = replica(fragile_redis, tmp_path / "file" / "outbox", heard)
    assert [line["event"] for line in logged] == ["outbox in memory"]
    fragile_redis.stop()
    here.records.add(record(1), BODY, None)
    fragile_redis.start()
    eventually(lambda: owed(heard)[-1] == 0)
    eventually(lambda: _works(here))
    assert listed(here.records) == ["e1"]
    here.close()


def test_a_spoilt_outbox_is_moved_aside(tmp_path: Path) -> None:
    """It is named in the log and kept for the operator; one of a newer release is left where it is."""
    folder = tmp_path / "outbox"
    folder.mkdir()
    (folder / "outbox-spoilt.db").write_bytes(b"not a database" * 1000)
    with sqlite3.connect(folder / "outbox-newer.db") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    outbox = OutboxFolder(folder, 1 << 20)
    with capture_logs() as logged:
        assert outbox.adopt() == 0
    outbox.close()
    assert {line["event"] for line in logged} == {"outbox spoilt", "outbox not adopted"}
    assert files(folder) == ["outbox-newer.db"]
    assert (folder / "outbox-spoilt.spoilt").exists()


def test_only_their_owner_may_read_outboxes(tmp_path: Path) -> None:
    """The log beside the file as well, also in a folder that others may read. Nothing stays of an empty one."""
    tmp_path.chmod(0o755)
    for content in (b"not a database" * 1000, b""):
        (tmp_path / "outbox-old.db").write_bytes(content)
        (tmp_path / "outbox-old.db-wal").write_bytes(b"of a server that was killed")
        outbox = OutboxFolder(tmp_path, 1 << 20)
        outbox.file.add(Addition(record(1), BODY, None))
        outbox.adopt()
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) & 0o077 for each in tmp_path.iterdir()}
        assert any(name.endswith(".db-wal") for name in modes)
        assert modes == dict.fromkeys(modes, 0)
        outbox.file.discard("explanations/e1")
        outbox.close()
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == ["outbox-old.spoilt"]


def test_an_outbox_that_cannot_be_written_is_told(
    open_replica: Callable[..., Store], fragile_redis: RedisServer
) -> None:
    """A full disk: the caller of `add` gets StoreDown, which is counted as not kept; reading goes on."""
    here = open_replica()
    fragile_redis.stop()
    database = here.records._shared._file._database  # the only way to a disk that is full
    database.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreDown, match="outbox"):
        here.records.add(record(1), BODY, None)
    database.execute("PRAGMA query_only = OFF")
    here.records.add(record(1), BODY, None)
    assert here.records.get("explanations/e1") is not None
