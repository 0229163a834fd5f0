"""The messages for people when the console's own file cannot be used."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_WORDS: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "another program has locked it; try again, and close the other program",
    sqlite3.SQLITE_LOCKED: "another program has locked it; try again, and close the other program",
    sqlite3.SQLITE_FULL: "the disk is full; the operator must free some space",
    sqlite3.SQLITE_READONLY: "it may only be read; the operator must make it and its folder writable",
    sqlite3.SQLITE_PERM: "the console may not open it; the operator must allow that",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; the operator must check its folder",
    sqlite3.SQLITE_IOERR: "the disk fails, or is full; the operator must check it",
    sqlite3.SQLITE_CORRUPT: "it is damaged; the operator must put back a copy, or move it away",
    sqlite3.SQLITE_NOTADB: "it is not a database; the operator must put back a copy, or move it away",
}

log = logging.getLogger(__name__)


def failure_of(error: sqlite3.Error) -> str | None:
    """Returns what is wrong with the file and what to do; None for a mistake of the console's own."""
    # The lowest byte is the kind, and those above are details.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    words = _WORDS.get(code)
    return f"the console's own file, console.db, fails: {words}" if words else None


@contextmanager
def skipped_if_unwritable(what: str) -> Iterator[None]:
    """Skips what the block writes if the file cannot be used now, so that people can still read.

    Args:
        what: what is not written then, for the log.
    """
    try:
        yield
    except sqlite3.Error as error:
        if (failure := failure_of(error)) is None:
            raise
        log.warning("state not written", extra={"detail": what, "reason": failure})
