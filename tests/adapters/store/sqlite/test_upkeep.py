"""What expires goes, and what does not fit goes early, without anybody asking for it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from adapters.store.record_samples import listed, record
from adapters.store.sqlite.files import database, opened
from adapters.store.store_samples import Heard
from sequela.adapters.metrics.observer import PrometheusObserver
from sequela.adapters.store.ports import Store
from sequela.adapters.store.sqlite import records, upkeep
from sequela.adapters.store.sqlite.store import StoreLimits, memory_store
from sequela.explain.ports import Observers
from sequela.explain.telemetry import ExplanationsRemovedEarly
from structlog.testing import capture_logs
from waiting import eventually


def test_expired_entries_leave_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody writes any more: records, bodies, labels, values and tombstones."""
    monkeypatch.setattr(upkeep, "INTERVAL_SECONDS", 0.02)
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    with opened(tmp_path / "store.db") as store:
        for number in range(3):
            made = record(number, body=bytes([number]), labels={"k": "v"}, expires=soon)
            store.records.add(made, b"", None)
        store.records.add(record(9), b"", None)
        store.values.put("soon", b"x", 0.3)
        store.values.put("later", b"x", 60.0)
        connection = database(store)._connection
        for table, left in (("record", 1), ("body", 1), ("label", 0), ("value", 1)):
            query = f"SELECT count(*) FROM {table}"
            eventually(lambda query=query, left=left: connection.execute(query).fetchone() == (left,))
        assert listed(store.records) == ["e9"]


def _fill(store: Store, count: int) -> None:
    now = datetime.now(UTC)
    for number in range(count):
        # The later it was made, the earlier it expires.
        expires = now + timedelta(hours=count - number)
        made = record(number, body=number.to_bytes(4, "big"), expires=expires)
        store.records.add(made, os.urandom(4000), f"key {number}")


def test_what_expires_first_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store is full. The log says so once, and the size stays below the limit."""
    monkeypatch.setattr(records, "UPKEEP_EVERY", 8)
    monkeypatch.setattr(upkeep, "BATCH_RECORDS", 20)
    limit = 1 << 20
    heard, metrics = Heard(), PrometheusObserver("1")
    store = memory_store(Observers((heard, metrics)), limits=StoreLimits(limit))
    store.values.put("lasting", b"x" * 10_000)
    store.values.put("passing", b"x" * 10_000, 60.0)
    with capture_logs() as logged:
        _fill(store, 600)
    assert [line["event"] for line in logged] == ["store full"]
    connection = database(store)._connection
    used = connection.execute(
        "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, "
        "pragma_page_size"
    ).fetchone()[0]
    assert limit * 0.7 < used < limit * 1.1
    kept = [int(name[1:]) for name in listed(store.records)]
    assert kept[-1] == 0
    assert 100 < len(kept) < 250
    assert sum(each.count for each in heard.of(ExplanationsRemovedEarly)) == 600 - len(kept)
    assert metrics.registry.get_sample_value("sequela_store_removed_early_total") == 600 - len(kept)
    first_to_go = max(kept[20:])
    assert kept[20:] == list(range(first_to_go, -1, -1))
    assert store.values.get("lasting") is not None
    assert store.values.get("passing") is None


def test_a_store_full_of_what_lasts_goes_on() -> None:
    """Uploads fill it: explanations are kept as long as there is room, and nothing loops."""
    store = memory_store(limits=StoreLimits(1 << 20))
    store.values.put("model", bytes(1 << 20))
    _fill(store, 200)
    assert store.values.get("model") is not None
    assert len(listed(store.records)) < 200
