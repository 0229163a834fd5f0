"""One connection that all calls share: opened when first needed, and anew once what it was made from has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closeable(Protocol):
    """Something that holds a connection."""

    def close(self) -> None:
        """Calls under way fail."""


Connection_co = TypeVar("Connection_co", bound=Closeable, covariant=True)
Connection = TypeVar("Connection", bound=Closeable)


class Way(Protocol[Connection_co]):
    """All that a connection is made from; another one needs another connection."""

    def open(self) -> Connection_co:
        """A new connection."""


class Kept(Generic[Connection]):
    """Keeps one connection. Safe to use from several threads at once.

    find: the way as it is now, found within so many seconds (None: no limit).
    """

    def __init__(self, find: Callable[[float | None], Way[Connection]]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._way: Way[Connection] | None = None
        self._connection: Connection | None = None
        self._doubted = False
        self._closed = False

    def current(self, timeout: float | None) -> Connection:
        """Raises what `find` and `open` raise, ConnectionError where it was closed, TimeoutError after `timeout`
        seconds.
        """
        # Another caller may be finding the way, for longer than this one may wait.
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError
        try:
            return self._current(timeout)
        finally:
            self._lock.release()

    def doubt(self) -> None:
        """A call did not come through: the host may have moved, or the certificates may have been replaced."""
        self._doubted = True

    def close(self) -> None:
        """Calls under way and later ones fail."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    def _current(self, timeout: float | None) -> Connection:
        if self._closed:
            raise ConnectionError("the connection was closed")
        if self._connection is None or self._doubted:
            way = self._find(timeout)
            if self._connection is None or way != self._way:
                self._replace(way)
            self._doubted = False
        assert self._connection is not None
        return self._connection

    def _replace(self, way: Way[Connection]) -> None:
        previous, self._way, self._connection = self._connection, way, way.open()
        if previous is not None:
            previous.close()
