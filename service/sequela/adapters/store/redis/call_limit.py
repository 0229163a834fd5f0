"""A time limit on a whole call to Redis, however many reads, writes and connections it takes.

The timeouts of redis-py hold for each read from a socket. A peer that sends a byte now and then never reaches them, nor
does a name server that does not answer. So each thread says how long its call may take, and connections obey.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any

from redis.exceptions import TimeoutError as RedisTimeoutError

_current = threading.local()


@contextmanager
def call_limit(seconds: float) -> Iterator[None]:
    """Limits what this thread does with Redis inside the context to `seconds` altogether."""
    before = getattr(_current, "end", math.inf)
    _current.end = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _current.end = before


def remaining_seconds() -> float:
    """Returns the time that is left to the call of this thread; infinity outside of `call_limit`."""
    end: float = getattr(_current, "end", math.inf)
    return end - time.monotonic()


class LimitedSocket:
    """A socket whose reads and writes end when the time of the thread's call is over.

    It has the methods of the socket that redis-py uses; all others are passed on. Another thread may close it: a read
    or write that is running keeps its descriptor until it ends. Otherwise the system could give the same number to the
    next connection, and the call would wait for, or even take, the answer to somebody else's.

    Args:
        plain: A connected socket, with the timeout for one read or write.
    """

    def __init__(self, plain: socket) -> None:
        self._plain = plain
        self._timeout = plain.gettimeout()
        self._use = threading.Lock()
        self._closing = False

    def settimeout(self, seconds: float | None) -> None:
        """Sets the timeout for one read or write."""
        self._timeout = seconds
        self._plain.settimeout(seconds)

    def recv(self, *args: Any) -> bytes:
        """Reads as `socket.recv` does. Raises TimeoutError if the call has no time left."""
        with self._in_use():
            self._shorten()
            return self._plain.recv(*args)

    def recv_into(self, *args: Any) -> int:
        """Reads as `socket.recv_into` does. Raises TimeoutError if the call has no time left."""
        with self._in_use():
            self._shorten()
            return self._plain.recv_into(*args)

    def sendall(self, data: bytes) -> None:
        """Writes all of `data`. Raises TimeoutError if the call has no time left."""
        # In parts, because the timeout of a TLS socket holds for each part.
        left = memoryview(data)
        with self._in_use():
            while left:
                self._shorten()
                left = left[self._plain.send(left) :]

    def close(self) -> None:
        """Closes the socket, or leaves that to the thread that is using it. `shutdown` before ends what it does."""
        self._closing = True
        if self._use.acquire(blocking=False):
            try:
                self._plain.close()
            finally:
                self._use.release()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        try:
            with self._use:
                yield
        finally:
            if self._closing:
                self.close()

    def _shorten(self) -> None:
        remaining = remaining_seconds()
        if self._timeout == 0:  # redis-py checks whether there is anything to read, and does not wait
            return
        if remaining <= 0:
            raise TimeoutError("the call to Redis took too long")
        shortest = min(math.inf if self._timeout is None else self._timeout, remaining)
        self._plain.settimeout(None if shortest == math.inf else shortest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


def open_socket(connect: Callable[[], socket]) -> socket:
    """Connects within the time of the thread's call.

    Looking up a name has no timeout, so this is done in another thread if the call has a limit.

    Raises:
        RedisTimeoutError: There is no connection in time. One that is made later is closed.
    """
    remaining = remaining_seconds()
    if remaining == math.inf:
        return connect()
    attempt = _Attempt(connect)
    threading.Thread(target=attempt.run, name="redis-connect", daemon=True).start()
    return attempt.result(remaining)


class _Attempt:
    """One attempt to connect, which may outlast the caller that waits for it."""

    def __init__(self, connect: Callable[[], socket]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._abandoned = False
        self._socket: socket | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            made = self._connect()
        except BaseException as error:  # whatever it is, it is raised in the caller's thread
            self._error = error
        else:
            self._hand_over(made)
        self._done.set()

    def result(self, seconds: float) -> socket:
        self._done.wait(max(seconds, 0))
        with self._lock:
            if self._socket is not None:
                return self._socket
            if self._error is not None:
                # TimeoutError of sockets would make redis-py look for a host, which Unix sockets do not have.
                if isinstance(self._error, TimeoutError):
                    raise RedisTimeoutError("connecting took too long") from self._error
                raise self._error
            self._abandoned = True
        raise RedisTimeoutError("connecting took too long")

    def _hand_over(self, made: socket) -> None:
        with self._lock:
            if not self._abandoned:
                self._socket = made
                return
        with contextlib.suppress(OSError):
            made.close()
