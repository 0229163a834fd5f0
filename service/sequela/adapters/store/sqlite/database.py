"""One connection that all threads share, one after the other.

Two connections that write and checkpoint at the same time lose commits in SQLite 3.7.0 to 3.51.2. One connection
cannot. What it does for a call takes far less than a millisecond.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog

from sequela.adapters.store.ports import StoreDown
from sequela.explain.ports import Observer
from sequela.explain.telemetry import StoreState

Result = TypeVar("Result")
Connection = sqlite3.Connection

_log = structlog.get_logger(__name__)


class Database:
    """Runs operations on a connection. Safe to use from several threads at once.

    Args:
        connection: The connection, in autocommit mode. Nobody else may use it.
        observer: Is notified when the file cannot be read or written, and when it can be again.
    """

    def __init__(self, connection: Connection, observer: Observer) -> None:
        self._connection = connection
        self._observer = observer
        self._lock = threading.Lock()
        self._failure = ""
        # Stores in memory are often just dropped, and Python warns about connections that nobody closed.
        self._close = weakref.finalize(self, connection.close)

    def read(self, operation: Callable[[Connection], Result]) -> Result:
        """Runs an operation that changes nothing. Raises StoreDown."""
        with self._lock, self._reported():
            return operation(self._connection)

    def write(self, operation: Callable[[Connection], Result]) -> Result:
        """Runs an operation that changes something in a transaction, and returns when it is committed.

        If the operation raises, it is undone. Raises StoreDown, and what the operation raises.
        """
        with self._lock, self._reported():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = operation(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            # Only a write shows that the file can be written: reads succeed on a full disk.
            if self._failure:
                self._failure = ""
                self._observer.notice(StoreState(True))
            return result

    def close(self) -> None:
        """Closes the connection. Later calls raise StoreDown."""
        with self._lock:
            self._close()

    def _roll_back(self) -> None:
        try:
            # SQLite may have ended the transaction itself, as it does when the disk is full.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            _log.error("store not rolled back", detail=str(error))

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            detail = f"{type(error).__name__}: {error}"
            if detail != self._failure:  # otherwise every call would be reported
                self._failure = detail
                self._observer.notice(StoreState(False, detail))
            # Callers do not learn about files and disks of the server.
            raise StoreDown("its file cannot be read or written") from error
