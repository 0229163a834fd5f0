"""Removes what has expired, and what exceeds the size of the store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import structlog

from sequela.adapters.store.ports import StoreDown
from sequela.adapters.store.skip_log import NOBODY
from sequela.adapters.store.sqlite.database import Connection, Database
from sequela.adapters.store.sqlite.deletions import BATCH_RECORDS, remove_records
from sequela.adapters.store.timestamps import now
from sequela.explain.ports import Observer
from sequela.explain.telemetry import ExplanationsRemovedEarly

INTERVAL_SECONDS = 60.0

_log = structlog.get_logger(__name__)


class Upkeep:
    """Keeps a file small. Batches are short, and others can read and write between them.

    Args:
        database: The file.
        max_bytes: The size of everything that is stored. When it is exceeded, what expires first is removed first.
        observer: Receives how many explanations were removed.
    """

    def __init__(self, database: Database, max_bytes: int, observer: Observer = NOBODY) -> None:
        self._database = database
        self._observer = observer
        self._max_bytes = max_bytes
        self._stopped = threading.Event()
        self._full = False

    def start(self, finish_deletions: Callable[[], None]) -> None:
        """Starts a thread, so that the store is kept up while nobody writes to it."""
        threading.Thread(target=self._run, args=(finish_deletions,), name="store-upkeep", daemon=True).start()

    def stop(self) -> None:
        """Stops the thread."""
        self._stopped.set()

    def run_batch(self) -> bool:
        """Removes one batch. Returns whether there may be more. Raises StoreDown."""
        expired = self._database.write(_remove_expired)
        surplus, removed = self._database.write(self._remove_surplus)
        if removed:
            self._observer.notice(ExplanationsRemovedEarly(removed))
        return expired or surplus

    def empty_log(self) -> None:
        """Removes deleted records from the write-ahead log too. Raises StoreDown."""
        self._database.read(
            lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        )

    def _run(self, finish_deletions: Callable[[], None]) -> None:
        finish_deletions()
        while not self._stopped.wait(INTERVAL_SECONDS):
            finish_deletions()
            with contextlib.suppress(StoreDown):  # the database reports it
                while self.run_batch() and not self._stopped.is_set():
                    pass

    def _remove_surplus(self, connection: Connection) -> tuple[bool, int]:
        """Returns whether there may be more to remove, and how many records were removed."""
        full = _used_bytes(connection) > self._max_bytes
        if full and not self._full:
            detail = "what expires first is removed early; raise --store-bytes to keep explanations longer"
            _log.warning("store full", max_bytes=self._max_bytes, detail=detail)
        self._full = full or (self._full and _used_bytes(connection) > self._max_bytes * 0.9)
        return _remove_first_to_expire(connection) if full else (False, 0)


def _used_bytes(connection: Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _remove_expired(connection: Connection) -> bool:
    moment = now()
    connection.execute("DELETE FROM tombstone WHERE expires <= ?", (moment,))
    connection.execute("DELETE FROM value WHERE expires <= ?", (moment,))
    return _remove_until(connection, moment) > 0


def _remove_first_to_expire(connection: Connection) -> tuple[bool, int]:
    """Removes the batch of records and values that expire first.

    Returns:
        Whether there was anything to remove, and how many records were removed.
    """
    query = "SELECT expires FROM record ORDER BY expires LIMIT 1 OFFSET ?"
    row = (
        connection.execute(query, (BATCH_RECORDS - 1,)).fetchone()
        or connection.execute(
            "SELECT max(expires) FROM (SELECT expires FROM record UNION ALL SELECT expires FROM value)"
        ).fetchone()
    )
    if row[0] is None:
        return False, 0
    values = connection.execute("DELETE FROM value WHERE expires <= ?", row).rowcount
    records = _remove_until(connection, row[0])
    return records + values > 0, records


def _remove_until(connection: Connection, moment: int) -> int:
    query = f"SELECT id FROM record WHERE expires <= ? ORDER BY expires LIMIT {BATCH_RECORDS}"  # noqa: S608
    found = [row[0] for row in connection.execute(query, (moment,))]
    remove_records(connection, found)
    return len(found)
