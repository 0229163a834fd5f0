"""The file `console.db`: one connection for each thread, and the versions of its tables."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

VERSION = 3
_BUSY_SECONDS = 10.0


class StateDatabase:
    """A SQLite database that many threads read, and in which one at a time writes.

    Args:
        file: its file, which is made if it does not exist; readable for its owner only.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._local = threading.local()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600, exist_ok=True)
        _check_version(file)
        with self.write() as database:
            _create(database)

    def close(self) -> None:
        """Writes everything into the file itself, so that a copy of it alone is whole."""
        with suppress(sqlite3.Error):
            self.read.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.read.close()
        del self._local.connection

    @property
    def read(self) -> sqlite3.Connection:
        """The connection of this thread, for reading."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.file, timeout=_BUSY_SECONDS, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            # What is deleted is overwritten, since notes may be about people.
            connection.execute("PRAGMA secure_delete=ON")
            self._local.connection = connection
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction, which is undone if the block raises."""
        connection = self.read
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            # After some failures, such as a full disk, SQLite has already undone it.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def overwrite_deleted(self) -> None:
        """Removes deleted texts from the write-ahead log, too. Does nothing while others read."""
        with suppress(sqlite3.OperationalError):
            self.read.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _check_version(file: Path) -> None:
    """Raises ValueError for the file of a newer version, before anything in it changes."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise ValueError(
            f"a newer console wrote it (version {found}; this one reads up to {VERSION}); use that one"
        )


def _create(database: sqlite3.Connection) -> None:
    """Creates the tables of this version, or adds to those of an older one what they lack."""
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found == 1:
        _add_copies(database)
    if found == 2:
        # Targets are read again with everything else that only whole explanations say.
        database.execute("UPDATE alert SET detailed = 0")
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    for statement in filter(str.strip, schema.split(";")):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")


def _add_copies(database: sqlite3.Connection) -> None:
    """Version 2 keeps with each label what it is about, and whether the service knows who gave it."""
    texts = ("caller_id", "model", "model_digest", "target")
    columns = [
        *("trail ADD COLUMN verified INTEGER NOT NULL DEFAULT 0",),
        *("verdict ADD COLUMN verified INTEGER NOT NULL DEFAULT 0",),
        *(f"verdict ADD COLUMN {name} TEXT NOT NULL DEFAULT ''" for name in texts),
        *(f"verdict ADD COLUMN {name} REAL" for name in ("score", "threshold", "created")),
    ]
    for column in columns:
        database.execute(f"ALTER TABLE {column}")
    # Effects are read again, since what shows that two alerts are of one sequence has changed.
    database.execute("UPDATE alert SET detailed = 0")
    copied = (*texts, "score", "created")
    database.execute(
        f"UPDATE verdict SET ({', '.join(copied)}) = "  # noqa: S608 our own names
        f"(SELECT {', '.join(copied)} FROM alert WHERE id = verdict.alert) "
        "WHERE alert IN (SELECT id FROM alert)"
    )
