"""The audit log: who called which method, about what, and with what outcome. It holds nothing of the payload."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

log = structlog.get_logger("sequela.audit")

COMPLAINT_SECONDS = 60.0
"""The shortest time between two reports that a file cannot be written."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log.

    Attributes:
        caller: The caller's name; empty if it has not shown who it is.
        method: The method, as in the table of permissions.
        resource: The name of the model, background or explanation, or only its kind; empty if there is none.
        outcome: The gRPC code, or the HTTP status.
        reason: The reason of the error; empty if there is none.
        request_id: The id of the request, which is in the log as well.
    """

    caller: str
    method: str
    resource: str
    outcome: str
    reason: str
    request_id: str

    def facts(self) -> dict[str, str]:
        """Returns the attributes by name, without the deep copies of `dataclasses.asdict`."""
        return {each: getattr(self, each) for each in self.__slots__}


Audit = Callable[[AuditEntry], None]


def no_audit(_: AuditEntry) -> None:
    """Writes nothing."""


def log_audit(entry: AuditEntry) -> None:
    """Writes an entry to the log, under the logger `sequela.audit`."""
    log.info("access", **entry.facts())


class AuditFile:
    """Appends entries to a file as JSON lines. A file that is moved away, as log rotation does, is made anew.

    Args:
        path: The file. A new one can only be read by its owner.
        lost: Is called for each entry that cannot be written.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: Path, lost: Callable[[], None]) -> None:
        self._path = path
        self._file = _open(path)
        self._lost = lost
        self._next_complaint = 0.0

    def __call__(self, entry: AuditEntry) -> None:
        """Writes an entry. A full disk does not fail the request, but it is counted and logged."""
        line = json.dumps({"timestamp": datetime.now(UTC).isoformat(), **entry.facts()})
        try:
            self._write(f"{line}\n")
        except OSError as error:
            self._lost()
            self._complain(error)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, line: str) -> None:
        if self._moved():
            moved, self._file = self._file, _open(self._path)
            moved.close()
        self._file.write(line.encode())

    def _moved(self) -> bool:
        """Returns whether the path leads to another file now, or to none."""
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return True

    def _complain(self, error: OSError) -> None:
        if time.monotonic() >= self._next_complaint:
            self._next_complaint = time.monotonic() + COMPLAINT_SECONDS
            log.error("audit log not written", detail=str(error))


def _open(path: Path) -> io.FileIO:
    # Without a buffer, so that a line is either written in full, or the error is that of this line.
    return io.FileIO(path, "a", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
