"""One file of explanations that wait to be sent."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sequela.adapters.store.envelope import Unreadable
from sequela.adapters.store.ports import Addition, Record, StoredRecord
from sequela.adapters.store.private_file import make_private
from sequela.adapters.store.scopes import selector_digest, selector_digests
from sequela.adapters.store.serialization import decode_record, encode_record
from sequela.explain.explanation_query import Selector

IN_MEMORY = Path(":memory:")

_VERSION = 1
_BUSY_SECONDS = 0.1  # no other process uses the file, unless somebody looks into it
_OVERHEAD_BYTES = 400  # of a row and its index entries, measured with names and labels of usual length
# AUTOINCREMENT: what was sent is removed by its number, which no later explanation may have got meanwhile.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS owed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, answer_key TEXT, record BLOB NOT NULL,
    body BLOB NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS owed_answer ON owed (answer_key);
CREATE TABLE IF NOT EXISTS selector (
    digest TEXT NOT NULL, owed INTEGER NOT NULL REFERENCES owed (id) ON DELETE CASCADE, PRIMARY KEY (digest, owed)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS selector_owed ON selector (owed);
"""


@dataclass(frozen=True, slots=True)
class OwedRecord:
    """An explanation that waits. `number` counts up in the order in which they came."""

    number: int
    addition: Addition


class OutboxFile:
    """An SQLite file that only this process uses. Safe to use from several threads at once.

    Any method may raise `sqlite3.Error`: the disk is full, the file is damaged.

    Args:
        path: The file, which is made if it is not there; or IN_MEMORY.
        max_bytes: The largest size of all that waits. Beyond it the oldest are dropped.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._dropped = self._count = self._bytes = 0
        self._lock = threading.Lock()
        if path != IN_MEMORY:
            make_private(path)
        self._database = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
        )
        try:
            self._prepare()
        except sqlite3.Error:
            self._database.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._database.close()

    @property
    def count(self) -> int:
        """How many explanations wait."""
        return self._count

    @property
    def dropped(self) -> int:
        """How many explanations were dropped so far, because there was no room."""
        return self._dropped

    def add(self, addition: Addition) -> None:
        """Adds an explanation, which replaces one of the same name. The oldest are dropped if there is no room."""
        with self._change():
            self._delete("name = ?", (addition.record.summary.name,))
            self._insert(addition)
            dropped = self._make_room()
        self._dropped += dropped

    def move_to_end(self, owed: OwedRecord) -> None:
        """Puts an explanation behind all others, unless it was removed or replaced meanwhile."""
        with self._change():
            if self._delete("id = ?", (owed.number,)):
                self._insert(owed.addition)

    def get(self, name: str) -> StoredRecord | None:
        """Returns the explanation with this name, if it waits."""
        return self._find("name = ?", name)

    def answer(self, answer_key: str) -> StoredRecord | None:
        """Returns the latest explanation with this key that waits."""
        return self._find("answer_key = ? ORDER BY id DESC", answer_key)

    def oldest(self, limit: int) -> list[OwedRecord]:
        """Returns the explanations that have waited longest."""
        with self._lock:
            rows = self._database.execute(
                "SELECT id, record, body, answer_key FROM owed ORDER BY id LIMIT ?", (limit,)
            ).fetchall()
        found = [(number, _decode(data), body, key) for number, data, body, key in rows]
        self.remove([number for number, record, _, _ in found if record is None])
        return [
            OwedRecord(number, Addition(record, body, key)) for number, record, body, key in found if record
        ]

    def remove(self, numbers: Sequence[int]) -> None:
        """Removes explanations that were sent."""
        if numbers:
            with self._change():
                for number in numbers:
                    self._delete("id = ?", (number,))

    def discard(self, name: str) -> None:
        """Removes the explanation with this name, since a later one was sent."""
        with self._change():
            self._delete("name = ?", (name,))

    def delete(self, wanted: Selector) -> int:
        """Removes the selected explanations, and returns how many."""
        with self._change():
            count = self._delete(
                "id IN (SELECT owed FROM selector WHERE digest = ?)", (selector_digest(wanted),)
            )
        if count:
            with self._lock:  # the write-ahead log still has them
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def _prepare(self) -> None:
        execute = self._database.execute
        # A commit need not reach the disk to survive the process. What is deleted is overwritten. Others are locked
        # out, since many versions lose commits if several connections use a write-ahead log.
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "secure_delete = ON",
            "foreign_keys = ON",
            "journal_mode = WAL",
            "synchronous = NORMAL",
        ):
            execute(f"PRAGMA {pragma}")
        (version,) = execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.OperationalError(f"{self.path} has format {version}; this release reads {_VERSION}")
        self._database.executescript(_SCHEMA)
        execute(f"PRAGMA user_version = {_VERSION}")
        self._count, self._bytes = execute("SELECT count(*), coalesce(sum(bytes), 0) FROM owed").fetchone()

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            before = self._count, self._bytes
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                self._count, self._bytes = before
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _delete(self, condition: str, values: tuple[object, ...]) -> int:
        rows = self._database.execute(
            f"DELETE FROM owed WHERE {condition} RETURNING bytes",  # noqa: S608  # the conditions are those above
            values,
        ).fetchall()
        self._count -= len(rows)
        self._bytes -= sum(size for (size,) in rows)
        return len(rows)

    def _insert(self, addition: Addition) -> None:
        record = addition.record
        data = encode_record(record)
        size = len(data) + len(addition.body) + _OVERHEAD_BYTES
        row = (record.summary.name, addition.answer_key, data, addition.body, size)
        number = self._database.execute(
            "INSERT INTO owed (name, answer_key, record, body, bytes) VALUES (?, ?, ?, ?, ?)", row
        ).lastrowid
        self._database.executemany(
            "INSERT OR IGNORE INTO selector VALUES (?, ?)",
            [(digest, number) for digest in selector_digests(record.summary)],
        )
        self._count += 1
        self._bytes += size

    def _make_room(self) -> int:
        dropped = 0
        while self._bytes > self._max_bytes:
            dropped += self._delete("id = (SELECT min(id) FROM owed)", ())
        return dropped

    def _find(self, condition: str, value: str) -> StoredRecord | None:
        with self._lock:
            row = self._database.execute(
                f"SELECT record, body FROM owed WHERE {condition} LIMIT 1",  # noqa: S608  # as above
                (value,),
            ).fetchone()
        record = None if row is None else _decode(row[0])
        return None if record is None else StoredRecord(record, row[1])


def _decode(data: bytes) -> Record | None:
    try:
        return decode_record(data)
    except Unreadable:
        return None
