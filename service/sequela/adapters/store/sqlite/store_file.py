"""Opens the file of a store: checks whose it is and whether it is sound, and creates it if there is none."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import structlog

from sequela.adapters.store.private_file import make_private
from sequela.adapters.store.sqlite.database import Connection
from sequela.adapters.store.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from sequela.errors import Unavailable

CHECK_SECONDS = 10.0
"""How long the check at the start may take. A file of a gigabyte takes a few seconds."""

ANOTHER_PLACE = "choose another path for --store, or --store memory: to keep nothing"
"""The way out, for messages."""

MAX_SPOILT_FILES = 2
"""How many files that were moved aside are kept."""

_JOURNALS = ("-wal", "-shm")
_PROGRESS_STEPS = 100_000  # virtual machine instructions, about a millisecond
_log = structlog.get_logger(__name__)


class StoreUnusable(Unavailable):
    """The file exists and is not one that this release may use."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__("STORE_UNUSABLE", f"the store {path} (--store) {why}")


class _Spoilt(Exception):
    """The file is damaged."""


def open_memory() -> Connection:
    """Returns an empty store in memory."""
    connection = _connect(":memory:")
    _create(connection)
    return connection


def open_file(path: Path, ours: bool) -> Connection:
    """Opens or creates a file. A damaged one is moved aside.

    Args:
        path: The file. Nobody else may have it open.
        ours: Whether a store was at this path before, so that a file that is not a database must be a damaged one.

    Raises:
        StoreUnusable: The file belongs to another program or to a newer release, or SQLite cannot open it.
    """
    try:
        return _open(path)
    except _Spoilt as spoilt:
        if not (ours or _is_database(path)):
            raise StoreUnusable(path, "is not a database; choose another path for --store") from spoilt
        _move_aside(path, str(spoilt))
    try:
        return _open(path)
    except _Spoilt as spoilt:
        raise StoreUnusable(path, f"cannot be created: {spoilt}; {ANOTHER_PLACE}") from spoilt


def locking_mode(version: tuple[int, ...]) -> str:
    """Returns the locking mode for a version of SQLite.

    In those with the WAL-reset bug, a second connection could make commits disappear, so nobody else may open the file
    while the server runs, not even to copy it. A rollback journal would need no such lock, but takes 2 or 3 waits for
    the disk with each explanation (13 ms where this was measured, instead of 0.5 ms).
    """
    fixed = version >= (3, 51, 3) or (version[:2] == (3, 50) and version[2] >= 7)
    return "NORMAL" if fixed or (version[:2] == (3, 44) and version[2] >= 6) else "EXCLUSIVE"


def _open(path: Path) -> Connection:
    connection = None
    try:
        connection = _connect(path)
        connection.execute(f"PRAGMA locking_mode = {locking_mode(sqlite3.sqlite_version_info)}")
        _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            _create(connection)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if _is_damage(error):
            raise _Spoilt(str(error)) from error
        if isinstance(error, sqlite3.Error):
            raise StoreUnusable(path, f"cannot be used: {error}; {ANOTHER_PLACE}") from error
        raise
    return connection


def _connect(path: Path | str) -> Connection:
    if isinstance(path, Path):
        make_private(path)
    # Threads take turns (database.py), so the check for the same thread is off.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
    # Deleted content is overwritten.
    connection.execute("PRAGMA secure_delete = ON")
    # With a write-ahead log, a commit does not wait for the disk. A power failure may undo the latest commits, but
    # damages nothing, and the end of the process undoes none.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cache_size = -65536")  # 64 MiB
    return connection


def _create(connection: Connection) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID}; "
        f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def _check(connection: Connection, path: Path) -> None:
    owner, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in (
            "PRAGMA application_id",
            "PRAGMA user_version",
            "SELECT count(*) FROM sqlite_master",
        )
    )
    if owner != APPLICATION_ID and (tables or version):
        raise StoreUnusable(path, "is a database of another program; choose another path for --store")
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            path,
            f"was written by a newer release (format {version}; this release reads formats up to {SCHEMA_VERSION}); "
            "upgrade Sequela, or choose another path for --store",
        )
    _check_integrity(connection)


def _check_integrity(connection: Connection) -> None:
    end = time.monotonic() + CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, _PROGRESS_STEPS)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        _log.warning("store check not complete", seconds=CHECK_SECONDS)
        return
    finally:
        connection.set_progress_handler(None, 0)
    if found != "ok":
        raise _Spoilt(found)


def _is_damage(error: BaseException) -> bool:
    # Other errors, such as a missing permission or a full disk, say nothing about the file.
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in codes


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _move_aside(path: Path, why: str) -> None:
    """Renames a damaged file and the journals beside it, and removes the oldest of those moved before."""
    moved = path.with_name(f"{path.name}.spoilt-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for suffix in ("", *_JOURNALS):
        if _beside(path, suffix).exists():
            _beside(path, suffix).chmod(0o600)  # another program may have made it
            _beside(path, suffix).rename(_beside(moved, suffix))
    spoilt = sorted(
        each for each in path.parent.glob(f"{path.name}.spoilt-*") if each.name[-4:] not in _JOURNALS
    )
    for old in spoilt[:-MAX_SPOILT_FILES]:
        for suffix in ("", *_JOURNALS):
            _beside(old, suffix).unlink(missing_ok=True)
    _log.error("store damaged, a new one begun", detail=why, moved_to=str(moved))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
