"""The store in a file or in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sequela.adapters.store.ports import Store
from sequela.adapters.store.skip_log import NOBODY, SkipLog
from sequela.adapters.store.sqlite.database import Connection, Database
from sequela.adapters.store.sqlite.records import SqliteRecords
from sequela.adapters.store.sqlite.store_file import ANOTHER_PLACE, StoreUnusable, open_file, open_memory
from sequela.adapters.store.sqlite.store_lock import StoreLock
from sequela.adapters.store.sqlite.upkeep import Upkeep
from sequela.adapters.store.sqlite.values import SqliteIndex, SqliteKeyValue
from sequela.explain.ports import Observer
from sequela.explain.telemetry import StoreState

FILE_BYTES = 16 << 30
MEMORY_BYTES = 256 << 20
TOMBSTONE_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """How much is stored, and how long deletions are remembered.

    Attributes:
        max_bytes: The limit for everything together, and for what does not expire alone. When it is exceeded, entries
            that expire are removed.
        tombstone_seconds: At least as long as explanations are kept.
    """

    max_bytes: int
    tombstone_seconds: float = TOMBSTONE_SECONDS


def memory_store(observer: Observer = NOBODY, limits: StoreLimits = StoreLimits(MEMORY_BYTES)) -> Store:
    """Returns an empty store that is lost when the process ends."""
    parts = _Parts.on(open_memory(), observer, limits)
    observer.notice(StoreState(True))
    return parts.store(parts.database.close)


def file_store(
    path: Path, observer: Observer = NOBODY, limits: StoreLimits = StoreLimits(FILE_BYTES)
) -> Store:
    """Opens the store in a file, which is created if it does not exist.

    The lock is on the file itself, also if a link leads to it.

    Raises:
        StoreInUse: Another process has the file open.
        StoreUnusable: The file is not one that this release may use, it is a folder, or it cannot be created.
    """
    try:
        path = path.resolve()
        if path.is_dir():
            # Before the lock, whose file would be made beside the folder.
            text = f"is a folder; name a file in it, such as {path / 'store.db'}, or {ANOTHER_PLACE}"
            raise StoreUnusable(path, text)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = StoreLock(path)
    except (OSError, RuntimeError) as error:  # Python 3.11 and 3.12 raise RuntimeError for links in a circle
        raise StoreUnusable(path, f"cannot be created: {_reason(error)}; {ANOTHER_PLACE}") from error
    try:
        parts = _Parts.on(open_file(path, lock.existed), observer, limits)
    except BaseException:
        lock.close()
        raise
    observer.notice(StoreState(True))
    # A file may be idle for days, and expired explanations have to go nevertheless.
    parts.upkeep.start(parts.records.finish_pending)

    def close() -> None:
        parts.upkeep.stop()
        parts.database.close()
        lock.close()

    return parts.store(close)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a store on one connection."""

    database: Database
    upkeep: Upkeep
    records: SqliteRecords
    max_bytes: int

    @classmethod
    def on(cls, connection: Connection, observer: Observer, limits: StoreLimits) -> _Parts:
        database = Database(connection, observer)
        upkeep = Upkeep(database, limits.max_bytes, observer)
        records = SqliteRecords(database, SkipLog(observer), upkeep, limits.tombstone_seconds)
        return cls(database, upkeep, records, limits.max_bytes)

    def store(self, close: Callable[[], None]) -> Store:
        values = SqliteKeyValue(self.database, self.max_bytes)
        return Store(values, SqliteIndex(self.database), self.records, None, close)
