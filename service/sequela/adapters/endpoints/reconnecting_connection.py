"""One connection that all calls share: opened when first needed, and anew once what it was made from has changed."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

SILENCE = 0.8
"""Seconds without any answer after which a connection is taken to be dead and not to know it; less than a probe's."""


class Closeable(Protocol):
    """Something that holds a connection."""

    def close(self) -> None:
        """Calls under way fail."""


T_co = TypeVar("T_co", bound=Closeable, covariant=True)
T = TypeVar("T", bound=Closeable)


class ConnectionSpec(Protocol[T_co]):
    """All that a connection is made from; another one needs another connection."""

    def open(self) -> T_co:
        """A new connection."""


class _Shared(Generic[T]):
    """A connection that, once it has been replaced, is closed when its last call has ended: its rows are paid for."""

    def __init__(self, connection: T) -> None:
        self.connection = connection
        self._lock = threading.Lock()
        self._calls, self._replaced = 0, False

    def enter(self) -> None:
        """A call begins."""
        with self._lock:
            self._calls += 1

    def leave(self) -> None:
        """A call has ended."""
        with self._lock:
            self._calls -= 1
            self._close_unless_needed()

    def replace(self) -> None:
        """No more calls begin."""
        with self._lock:
            self._replaced = True
            self._close_unless_needed()

    def _close_unless_needed(self) -> None:
        if self._replaced and not self._calls:
            self.connection.close()


class ReconnectingConnection(Generic[T]):
    """Keeps one connection. Safe to use from several threads at once.

    find: the way as it is now, found within so many seconds (None: no limit).
    """

    def __init__(self, find: Callable[[float | None], ConnectionSpec[T]]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._way: ConnectionSpec[T] | None = None
        self._shared: _Shared[T] | None = None
        self._doubted = self._silent = self._closed = False
        self._answered = -math.inf

    @contextmanager
    def use(self, timeout: float | None) -> Iterator[T]:
        """For one call. Raises what `find` and `open` raise, ConnectionError where it was closed, TimeoutError after
        `timeout` seconds.
        """
        # Another caller may be finding the way, for longer than this one may wait.
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError
        try:
            shared = self._current(timeout)
            shared.enter()
        finally:
            self._lock.release()
        try:
            yield shared.connection
        finally:
            shared.leave()

    def doubt(self) -> None:
        """A call did not come through: the host may have moved, or the certificates may have been replaced."""
        self._doubted = True

    def answered(self) -> None:
        """A call was answered."""
        self._answered = time.monotonic()

    def unanswered(self, since: float) -> None:
        """A call has waited since then, in vain."""
        if max(self._answered, since) + SILENCE < time.monotonic():
            self._silent = True

    def close(self) -> None:
        """Calls under way and later ones fail."""
        with self._lock:
            self._closed = True
            if self._shared is not None:
                self._shared.connection.close()

    def _current(self, timeout: float | None) -> _Shared[T]:
        if self._closed:
            raise ConnectionError("the connection was closed")
        if self._shared is None or self._doubted or self._silent:
            way = self._find(timeout)
            if self._shared is None or way != self._way or self._silent:
                self._replace(way)
            self._doubted = self._silent = False
        assert self._shared is not None
        return self._shared

    def _replace(self, way: ConnectionSpec[T]) -> None:
        previous, self._way, self._shared = self._shared, way, _Shared(way.open())
        if previous is not None:
            previous.replace()
