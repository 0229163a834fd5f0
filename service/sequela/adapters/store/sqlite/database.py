"""One connection that all threads share, one after the other.

Two connections that write and checkpoint at the same time lose commits in SQLite 3.7.0 to 3.51.2. One connection
cannot, and what it does takes far less than a millisecond, apart from the commit. So writes that wait for one commit
are combined in the next one.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import structlog

from sequela.adapters.store.ports import StoreDown
from sequela.explain.ports import Observer
from sequela.explain.telemetry import StoreState

Result = TypeVar("Result")
Connection = sqlite3.Connection

_log = structlog.get_logger(__name__)


class _Write(Generic[Result]):
    """A write that a thread wants to have done, by itself or by the thread that is writing."""

    def __init__(self, operation: Callable[[Connection], Result]) -> None:
        self._operation = operation
        self._result: Result | None = None
        self.error: BaseException | None = None
        self.done = False

    def run(self, connection: Connection) -> None:
        """Does the work. If it fails, only its own changes are undone."""
        connection.execute("SAVEPOINT write")
        try:
            self._result = self._operation(connection)
        except BaseException as error:
            self.error = error
            # A full disk may have ended the whole transaction, and then there is no savepoint any more.
            if connection.in_transaction:
                connection.execute("ROLLBACK TO write")
        if connection.in_transaction:
            connection.execute("RELEASE write")

    def result(self) -> Result:
        """Returns what the operation returned, or raises its error."""
        if self.error is not None:
            raise self.error
        return self._result  # type: ignore[return-value]  # it was set, since there is no error


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
        self._waiting: deque[_Write[Any]] = deque()
        self._down = ""
        # Stores in memory are often just dropped, and Python warns about connections that nobody closed.
        self._close = weakref.finalize(self, connection.close)

    def read(self, operation: Callable[[Connection], Result]) -> Result:
        """Runs an operation that changes nothing. Raises StoreDown."""
        with self._lock:
            try:
                return operation(self._connection)
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def write(self, operation: Callable[[Connection], Result]) -> Result:
        """Runs an operation that changes something, in a transaction, and returns when it is committed.

        The operation is undone if it raises. Raises StoreDown, and what the operation raises.
        """
        write = _Write(operation)
        self._waiting.append(write)
        with self._lock:
            # The thread that had the lock before may have done it already.
            if not write.done:
                self._commit([self._waiting.popleft() for _ in range(len(self._waiting))])
        return write.result()

    def close(self) -> None:
        """Closes the connection. Later calls raise StoreDown."""
        with self._lock:
            self._close()

    def _commit(self, writes: list[_Write[Any]]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                write.run(self._connection)
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            for write in writes:
                write.error = write.error or error
        for write in writes:
            if isinstance(write.error, sqlite3.Error):
                write.error = self._failure(write.error)
            write.done = True
        if self._down and not any(isinstance(write.error, StoreDown) for write in writes):
            self._down = ""
            self._observer.notice(StoreState(True))

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            _log.error("store not rolled back", detail=str(error))

    def _failure(self, error: sqlite3.Error) -> StoreDown:
        detail = f"{type(error).__name__}: {error}"
        if detail != self._down:  # otherwise every call would be reported
            self._down = detail
            self._observer.notice(StoreState(False, detail))
        # Callers do not learn about files and disks of the server.
        failure = StoreDown("its file cannot be read or written")
        failure.__cause__ = error
        return failure
