"""Deletions of many records: hidden at once, removed in batches, completed after a restart."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from adapters.store.record_samples import EVER, delete, listed, record
from adapters.store.sqlite.files import database, execute, opened
from sequela.adapters.store.ports import StoreDown
from sequela.adapters.store.sqlite import deletions, records, upkeep
from sequela.adapters.store.sqlite.store import memory_store
from sequela.explain.explanation_query import CallerSelector, Deleted, Filter, LabelSelector, NameSelector
from waiting import PATIENCE, eventually


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few records are many batches."""
    monkeypatch.setattr(deletions, "BATCH_RECORDS", 2)


def test_what_time_does_not_allow_is_removed_by_a_thread() -> None:
    """Nobody finds any of it from the start; bodies that others use stay."""
    store = memory_store()
    for number in range(20):
        made = record(
            number, caller_id="ab"[number % 2], labels={"k": str(number % 3)}, body=bytes([number % 4])
        )
        store.records.add(made, b"", f"key {number}")
    connection = database(store)._connection
    found = store.records.delete(CallerSelector("a"), time.monotonic())
    assert (found.count, found.complete) == (10, False)
    assert listed(store.records) == [f"e{number}" for number in range(19, 0, -2)]
    eventually(lambda: connection.execute("SELECT count(*) FROM record").fetchone() == (10,))
    eventually(lambda: connection.execute("SELECT count(*) FROM pending_deletion").fetchone() == (0,))
    assert connection.execute("SELECT count(*) FROM label").fetchone() == (10,)
    assert connection.execute("SELECT count(*) FROM body").fetchone() == (2,)


@pytest.mark.parametrize("selector", [CallerSelector("a"), LabelSelector("k", "v")])
def test_readers_skip_what_is_not_removed_yet(
    tmp_path: Path, selector: CallerSelector | LabelSelector
) -> None:
    """By name, by key, in pages of any size; the next start removes it."""
    path = tmp_path / "store.db"
    with opened(path) as store:
        for number in range(9):
            mine = number % 3 != 0
            ahead = datetime.now(UTC) + timedelta(seconds=number)
            made = record(number, caller_id="a" * mine, labels={"k": "v" if mine else "w"}, accepted=ahead)
            store.records.add(made, b"", f"key {number}")
        with pytest.MonkeyPatch.context() as patch:

            def stuck(connection: object, deletion: object) -> bool:
                raise StoreDown("test")

            patch.setattr(deletions, "remove_batch", stuck)
            assert store.records.delete(selector, EVER) == Deleted(6, complete=False)
            for limit in (1, 2, 100):
                assert listed(store.records, limit=limit) == ["e6", "e3", "e0"]
                assert listed(store.records, Filter(caller_id="a"), limit) == []
            assert store.records.get("explanations/e1") is store.records.answer("key 4") is None
            assert store.records.get("explanations/e3") is not None
            later = record(9, caller_id="a", labels={"k": "v"}, accepted=datetime.now(UTC))
            store.records.add(later, b"", None)
            assert listed(store.records, limit=1) == ["e9", "e6", "e3", "e0"]
    assert execute(path, "SELECT count(*) FROM record") == [(10,)]
    with opened(path) as store:
        assert listed(store.records) == ["e9", "e6", "e3", "e0"]
        connection = database(store)._connection
        eventually(lambda: connection.execute("SELECT count(*) FROM record").fetchone() == (4,))


def test_numbers_are_not_used_again_while_a_deletion_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that comes after it gets a number that it does not cover, though the last ones are free again."""
    store = memory_store()
    for number in range(3):
        store.records.add(record(number, caller_id="a"), b"", None)
    real = deletions.remove_batch

    def stuck(connection: Any, deletion: Any) -> bool:
        raise StoreDown("test")

    monkeypatch.setattr(deletions, "remove_batch", stuck)
    assert not store.records.delete(CallerSelector("a"), EVER).complete
    deletions.remove_records(database(store)._connection, [2, 3])
    store.records.add(record(9, caller_id="a", accepted=datetime.now(UTC)), b"", None)
    assert listed(store.records) == ["e9"]
    monkeypatch.setattr(deletions, "remove_batch", real)
    store.records.finish_pending()  # type: ignore[attr-defined]
    assert listed(store.records) == ["e9"]
    assert database(store)._connection.execute("SELECT count(*) FROM record").fetchone() == (1,)


def test_a_deletion_that_ends_does_not_end_a_later_one() -> None:
    """Of the same caller id, which began while the first one was still removing."""
    store = memory_store()
    connection, wanted = database(store)._connection, CallerSelector("a")
    store.records.add(record(1, caller_id="a"), b"", None)
    first, _ = deletions.begin(connection, wanted, 1, 2)
    store.records.add(record(2, caller_id="a"), b"", None)
    second, _ = deletions.begin(connection, wanted, 3, 4)
    assert deletions.remove_batch(connection, first)
    assert deletions.pending(connection) == [second]
    assert deletions.remove_batch(connection, second)
    assert deletions.pending(connection) == []


def test_a_deletion_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the upkeep, as soon as the file can be written again. One that could not even begin is an error."""
    monkeypatch.setattr(upkeep, "INTERVAL_SECONDS", 0.05)
    with opened(tmp_path / "store.db") as store:
        for number in range(5):
            store.records.add(record(number, caller_id="a"), b"", None)
        connection, real = database(store)._connection, deletions.remove_batch

        def failing(*arguments: Any) -> bool:
            if connection.execute("SELECT count(*) FROM record").fetchone()[0] < 4:
                raise sqlite3.OperationalError("disk I/O error")
            return real(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deletions, "remove_batch", failing)
            assert not store.records.delete(CallerSelector("a"), EVER).complete
            assert listed(store.records) == []
        eventually(lambda: connection.execute("SELECT count(*) FROM record").fetchone() == (0,))
        store.records.add(record(9), b"", None)
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreDown):
            store.records.delete(NameSelector("explanations/e9"), EVER)
        assert listed(store.records) == ["e9"]


def test_others_write_between_the_batches() -> None:
    """A deletion of many records does not hold up those who keep new ones, and removes none of these."""
    store = memory_store()
    for number in range(300):
        store.records.add(record(number, caller_id="a"), b"", None)
    started, first, added = threading.Event(), threading.Event(), []

    def write() -> None:
        started.wait(PATIENCE)
        for number in range(300, 320):
            store.records.add(record(number, caller_id="b"), b"", None)
            added.append(number)
            first.set()

    writer = threading.Thread(target=write)
    writer.start()
    real = deletions.remove_batch
    between: list[int] = []

    def watched(*arguments: object) -> bool:
        started.set()
        between.append(len(added))
        return real(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deletions, "remove_batch", watched)
        # The pause after a batch lasts until the writer has come to its turn, however late it runs.
        pause = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: first.wait(PATIENCE))
        patch.setattr(records, "time", pause)
        assert delete(store.records, CallerSelector("a")) == 300
    writer.join(PATIENCE)
    assert listed(store.records, limit=7) == [f"e{number}" for number in range(319, 299, -1)]
    assert between[0] < between[-1]


def test_the_file_forgets_what_was_deleted(tmp_path: Path) -> None:
    """Neither the file nor its log has the bytes or the caller's id any more, not even as a tombstone."""
    path = tmp_path / "store.db"
    secret = b"a secret that has to go"
    with opened(path) as store:
        for number in range(5):
            made = record(number, caller_id="alert-of-a-person", labels={"account": "number-4711"})
            store.records.add(made, secret + bytes(3000), None)
        store.records.add(record(9, body=b"other"), b"stays", None)
        delete(store.records, NameSelector("explanations/e0"))
        delete(store.records, CallerSelector("alert-of-a-person"))
        files = list(tmp_path.iterdir())
        content = b"".join(file.read_bytes() for file in files)
        assert b"stays" in content
        for words in (secret, b"alert-of-a-person", b"number-4711"):
            assert words not in content
