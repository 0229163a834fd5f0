"""One connection shared by all calls. It is replaced if its spec changes or if it no longer gets any answers."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

SILENT_SECONDS = 0.8
"""A connection without any answer for this many seconds is considered dead. It is less than a probe may take."""


class Closeable(Protocol):
    """A connection of any library."""

    def close(self) -> None:
        """Closes it. Calls in flight fail."""


T_co = TypeVar("T_co", bound=Closeable, covariant=True)
T = TypeVar("T", bound=Closeable)


class ConnectionSpec(Protocol[T_co]):
    """Everything that determines a connection: addresses, certificates, options. A new spec needs a new connection."""

    def open(self) -> T_co:
        """Opens a new connection."""


class _SharedConnection(Generic[T]):
    """A connection with a count of its calls. Once replaced, it is closed when the last of them has ended."""

    def __init__(self, connection: T) -> None:
        self.connection = connection
        self._lock = threading.Lock()
        self._calls, self._replaced = 0, False

    def enter(self) -> None:
        """Records that a call begins."""
        with self._lock:
            self._calls += 1

    def leave(self) -> None:
        """Records that a call has ended."""
        with self._lock:
            self._calls -= 1
            self._close_if_unused()

    def replace(self) -> None:
        """Stops new calls. Calls in flight continue, because their rows have been paid for."""
        with self._lock:
            self._replaced = True
            self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._replaced and not self._calls:
            self.connection.close()


class ReconnectingConnection(Generic[T]):
    """Keeps one connection, opened when first needed. Safe to use from several threads at once.

    Args:
        find_spec: Finds the current spec within the given number of seconds (None for no limit).
    """

    def __init__(self, find_spec: Callable[[float | None], ConnectionSpec[T]]) -> None:
        self._find_spec = find_spec
        self._lock = threading.Lock()
        self._spec: ConnectionSpec[T] | None = None
        self._shared: _SharedConnection[T] | None = None
        self._doubtful = self._silent = self._closed = False
        self._answered_at = -math.inf

    @contextmanager
    def use(self, timeout: float | None) -> Iterator[T]:
        """Yields the connection for one call.

        Raises:
            TimeoutError: There was no connection within `timeout` seconds.
            ConnectionError: It was closed.
            Exception: What `find_spec` and `open` raise.
        """
        # Another caller may be finding the spec, for longer than this one may wait.
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
        """Records that a call failed. The next call checks whether addresses or certificates have changed."""
        self._doubtful = True

    def note_answer(self) -> None:
        """Records that a call was answered."""
        self._answered_at = time.monotonic()

    def note_no_answer(self, since: float) -> None:
        """Records that a call sent at `since` (monotonic) was not answered. If no call was, the next one reconnects."""
        if max(self._answered_at, since) + SILENT_SECONDS < time.monotonic():
            self._silent = True

    def close(self) -> None:
        """Permanently closes the connection. Calls in flight and later calls fail."""
        with self._lock:
            self._closed = True
            if self._shared is not None:
                self._shared.connection.close()

    def _current(self, timeout: float | None) -> _SharedConnection[T]:
        if self._closed:
            raise ConnectionError("the connection was closed")
        if self._shared is None or self._doubtful or self._silent:
            spec = self._find_spec(timeout)
            if self._shared is None or spec != self._spec or self._silent:
                self._replace(spec)
            # Only now, so that the next call tries again if finding or opening fails.
            self._doubtful = self._silent = False
        assert self._shared is not None
        return self._shared

    def _replace(self, spec: ConnectionSpec[T]) -> None:
        previous, self._spec, self._shared = self._shared, spec, _SharedConnection(spec.open())
        if previous is not None:
            previous.replace()
