"""Explanations in SQLite."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator

from sequela.adapters.store.envelope import Unreadable
from sequela.adapters.store.ports import Record, RecordPage, StoreDown, StoredRecord
from sequela.adapters.store.serialization import decode_record, encode_record
from sequela.adapters.store.skip_log import SkipLog
from sequela.adapters.store.sqlite import deletions
from sequela.adapters.store.sqlite.database import Connection, Database
from sequela.adapters.store.sqlite.deletions import Deletion
from sequela.adapters.store.sqlite.record_query import page_query, position
from sequela.adapters.store.sqlite.schema import key_digest
from sequela.adapters.store.sqlite.upkeep import Upkeep
from sequela.adapters.store.timestamps import microseconds, now
from sequela.explain.explanation_query import Deleted, Filter, Selector
from sequela.names import model_owner, model_version

SCANNED_PER_PAGE = 20_000
"""How many records one page looks at, at most. That takes about 20 ms, in which nobody else can write."""

UPKEEP_EVERY = 64
"""The number of writes between two checks of what has expired and of the size of the file."""

PAUSE_SECONDS = 0.001
"""The pause between two batches of a deletion, in which others get their turn. Locks are not handed out in order."""

THREAD_SECONDS = 3600.0
"""How long a thread works on one deletion, at most. The upkeep continues with what is left."""

_FIND = (
    "SELECT record.id, record.data, body.data FROM record JOIN body ON body.id = record.body "
    "WHERE record.expires > ? AND "
)
_INSERT = (
    # SQLite would use the numbers of removed records again, and a pending deletion covers all up to some number.
    "INSERT INTO record (id, name, made, alert, model, version, score, accepted, expires, answer, data, body) "
    "SELECT 1 + max((SELECT ifnull(max(id), 0) FROM record), (SELECT ifnull(max(last), 0) FROM pending_deletion)), "
    "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, body.id FROM body WHERE digest = ?"
)


class SqliteRecords:
    """Implements `Records`.

    Args:
        database: The file.
        skips: Is told of records that cannot be read.
        upkeep: Removes what has expired or does not fit.
        tombstone_seconds: How long deletions are remembered.
    """

    def __init__(self, database: Database, skips: SkipLog, upkeep: Upkeep, tombstone_seconds: float) -> None:
        self._database = database
        self._skips = skips
        self._upkeep = upkeep
        self._tombstone_microseconds = round(tombstone_seconds * 1e6)
        self._writes = itertools.count(1)
        self._lock = threading.Lock()  # for `_pending`
        # Read by every call, so it is kept here. It is replaced as a whole, never changed.
        self._pending: tuple[Deletion, ...] = tuple(database.read(deletions.pending))
        self._last_tombstone: int = database.read(_last_tombstone)

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`."""
        data = encode_record(record)
        self._database.write(lambda connection: self._add(connection, record, data, body, answer_key))
        if next(self._writes) % UPKEEP_EVERY == 0:
            with contextlib.suppress(StoreDown):  # the record is stored nevertheless
                self._upkeep.run_batch()

    def get(self, name: str) -> StoredRecord | None:
        """See `Records`."""
        return self._find(f"{_FIND} record.name = ?", name)

    def answer(self, answer_key: str) -> StoredRecord | None:
        """See `Records`."""
        query = f"{_FIND} record.answer = ? ORDER BY record.id DESC LIMIT 1"
        return self._find(query, key_digest(answer_key))

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """See `Records`."""
        query = page_query(wanted, after)
        return self._database.read(
            lambda connection: self._page(connection.execute(query.text, query.values), limit)
        )

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """See `Records`."""
        deletion, count = self._database.write(lambda connection: self._begin(connection, wanted))
        with self._lock:
            self._pending = (*self._pending, deletion)
        complete = self._finish(deletion, until)
        if not complete:
            until = time.monotonic() + THREAD_SECONDS
            threading.Thread(
                target=self._finish, args=(deletion, until), name="store-deletion", daemon=True
            ).start()
        return Deleted(count, complete)

    def finish_pending(self) -> None:
        """Completes deletions that failed before, or that a server before this one began."""
        for deletion in self._pending:
            self._finish(deletion, time.monotonic() + THREAD_SECONDS)

    def _begin(self, connection: Connection, wanted: Selector) -> tuple[Deletion, int]:
        made = now()
        self._last_tombstone = max(self._last_tombstone, made)
        return deletions.begin(connection, wanted, made, made + self._tombstone_microseconds)

    def _add(
        self, connection: Connection, record: Record, data: bytes, body: bytes, answer_key: str | None
    ) -> None:
        if microseconds(record.accepted) <= self._last_tombstone and deletions.is_covered(connection, record):
            return
        query = "SELECT id FROM record WHERE name = ?"
        present = [row[0] for row in connection.execute(query, (record.summary.name,))]
        bodies = deletions.remove_rows(connection, present) if present else ()
        digest = bytes.fromhex(record.body)
        connection.execute("INSERT OR IGNORE INTO body (digest, data) VALUES (?, ?)", (digest, body))
        answer = None if answer_key is None else key_digest(answer_key)
        inserted = connection.execute(_INSERT, (*_columns(record), answer, data, digest)).lastrowid
        made = microseconds(record.summary.create_time)
        connection.executemany(
            "INSERT INTO label (key, value, made, name, record) VALUES (?, ?, ?, ?, ?)",
            [(*label, made, record.summary.name, inserted) for label in record.summary.labels.items()],
        )
        # Only now, since the new record may use the body of the old one.
        if bodies:
            deletions.remove_unused(connection, bodies)

    def _find(self, query: str, value: str | bytes) -> StoredRecord | None:
        row = self._database.read(lambda connection: connection.execute(query, (now(), value)).fetchone())
        record = None if row is None else self._decode(row[0], row[1], repr(value))
        return None if record is None else StoredRecord(record, row[2])

    def _page(self, rows: Iterator[tuple[int, int, str, bytes | None]], limit: int) -> RecordPage:
        found: list[Record] = []
        last = ""
        for identifier, made, name, data in itertools.islice(rows, SCANNED_PER_PAGE):
            record = None if data is None else self._decode(identifier, data, name)
            if record is not None:
                if len(found) == limit:
                    return RecordPage(tuple(found), last)
                found.append(record)
            last = position(made, name)
        return RecordPage(tuple(found), last if next(rows, None) else "")

    def _decode(self, identifier: int, data: bytes, key: str) -> Record | None:
        """Returns the record, or None if it cannot be read or is about to be removed."""
        try:
            record = decode_record(data)
        except Unreadable as unreadable:
            self._skips.skip(unreadable.reason, key)
            return None
        return None if any(deletion.covers(identifier, record) for deletion in self._pending) else record

    def _finish(self, deletion: Deletion, until: float) -> bool:
        """Removes the records of a deletion. Returns whether that was done before `until`.

        If the store fails, the deletion stays pending: readers skip its records, and the upkeep tries again.
        """
        with contextlib.suppress(StoreDown):
            while not self._database.write(lambda connection: deletions.remove_batch(connection, deletion)):
                if time.monotonic() >= until:
                    return False
                time.sleep(PAUSE_SECONDS)
            self._forget(deletion)
            self._upkeep.empty_log()
            return True
        return False

    def _forget(self, deletion: Deletion) -> None:
        with self._lock:
            self._pending = tuple(each for each in self._pending if each is not deletion)


def _last_tombstone(connection: Connection) -> int:
    return int(connection.execute("SELECT ifnull(max(made), 0) FROM tombstone").fetchone()[0])


def _columns(record: Record) -> tuple[object, ...]:
    summary = record.summary
    return (
        summary.name,
        microseconds(summary.create_time),
        summary.caller_id,
        model_owner(summary.model),
        model_version(summary.model),
        summary.targets[0].raw_score if summary.targets else None,
        microseconds(record.accepted),
        microseconds(record.expires),
    )
