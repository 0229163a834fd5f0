"""The folder of the outboxes of one host: each server has a file, and takes over those of servers that have ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from sequela.adapters.store.outbox.file import IN_MEMORY, OutboxFile, OwedRecord

_ADOPTED_AT_ONCE = 500
_BESIDE = ("-wal", "-shm", "-journal")
MAX_BYTES_IN_MEMORY = 256 << 20
"""The largest size in bytes of an outbox in memory, which is used if the folder cannot be written to."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _HeldFile:
    """A file of an outbox whose lock this process holds. The lock ends with the process, however that ends."""

    path: Path
    lock: int

    @classmethod
    def take(cls, path: Path) -> _HeldFile | None:
        """Takes the lock, if no process holds it."""
        name = path.with_suffix(".lock")
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another server may have taken the file over and removed it since the lock was opened.
            if os.fstat(lock).st_ino == name.stat().st_ino:
                return cls(path, lock)
        except OSError:
            pass
        os.close(lock)
        return None

    def release(self) -> None:
        os.close(self.lock)

    def remove(self) -> None:
        """Removes the file, what SQLite has put beside it, and the lock."""
        for suffix in ("", *_BESIDE):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.with_suffix(".lock").unlink(missing_ok=True)
        self.release()

    def move_aside(self) -> Path:
        """Renames the file and what is beside it to a name that is not looked for again. Returns that name."""
        moved = self.path.with_suffix(".spoilt")
        for suffix in ("", *_BESIDE):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                file.chmod(0o600)
                file.rename(moved.with_name(moved.name + suffix))
        return moved


class OutboxFolder:
    """The outbox of this server, in a file of its own.

    If the folder cannot be written to, the outbox is kept in memory, and a warning is logged.

    Args:
        folder: The folder that all servers on this host use. It is made if it is not there.
        max_bytes: The largest size of what waits.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._held: _HeldFile | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"outbox-{uuid.uuid4().hex}.db"
            self._held = _HeldFile.take(path)
            self.file = OutboxFile(path, max_bytes)
        except (OSError, sqlite3.Error) as error:
            _log.warning("outbox in memory", folder=str(folder), detail=str(error))
            self.file = OutboxFile(IN_MEMORY, min(max_bytes, MAX_BYTES_IN_MEMORY))
        self._max_bytes = max_bytes

    def adopt(self) -> int:
        """Moves what ended servers of this host had not sent into this server's file. Returns how many explanations."""
        return sum(self._adopt(held) for held in self._abandoned())

    def close(self) -> None:
        """Closes this server's file, and removes it if nothing waits in it."""
        empty = not self.file.count
        self.file.close()
        if self._held is not None:
            self._held.remove() if empty else self._held.release()

    def _abandoned(self) -> Iterator[_HeldFile]:
        if self._held is None:
            return
        for path in sorted(self.folder.glob("outbox-*.db")):
            if path != self._held.path and (held := _HeldFile.take(path)):
                yield held

    def _adopt(self, held: _HeldFile) -> int:
        count = 0
        try:
            with contextlib.closing(OutboxFile(held.path, self._max_bytes)) as other:
                while found := other.oldest(_ADOPTED_AT_ONCE):
                    for each in found:
                        self._take_over(each)
                    other.remove([each.number for each in found])
                    count += len(found)
        except sqlite3.OperationalError as error:  # the disk is full, or a newer release wrote it
            _log.warning("outbox not adopted", file=str(held.path), detail=str(error))
            held.release()
            return count
        except sqlite3.Error as error:
            # The operator may want what is in it, so it is not removed.
            _log.error("outbox spoilt", file=str(held.move_aside()), detail=str(error))
        held.remove()
        if count:
            _log.info("outbox adopted", file=str(held.path), explanations=count)
        return count

    def _take_over(self, owed: OwedRecord) -> None:
        record = owed.addition.record
        present = self.file.get(record.summary.name)
        if present is None or present.record.accepted < record.accepted:
            self.file.add(owed.addition)
