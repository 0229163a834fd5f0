"""The servers that explain in bulk: local ones, one a core, or running ones. Work is shared between them.

A pool has runners, two or more for each server, so that a server always has a sequence to explain while the answers to
the last ones are read. A runner takes a piece of work, carries it out with its server's client, and puts it back if
the server fails; the piece is then carried out later, perhaps by another server.
"""

from __future__ import annotations

import atexit
import heapq
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from sequela_client.client import Sequela
from sequela_client.credentials import Credentials
from sequela_client.errors import SequelaError, TryAgain
from sequela_client.local_server import embedded_server

Work = Callable[[Sequela], Any]

PATIENCE_SECONDS = 60.0
"""How long one piece of work is tried again while its servers fail."""

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0
_LOCAL_RUNNERS = 2
_NAMED_RUNNERS = 4
_STARTS = 3

# A local server lies behind this process alone: one thread runs models, and nobody reads an answer again.
_LOCAL_SETTINGS = (
    *("--workers", "1", "--max-concurrent", "2", "--upload-engines", "2", "--explanation-ttl", "1"),
    *("--log-level", "warning", "--default-timeout", "86400", "--no-http-inference"),
)


class Host(Protocol):
    """One server."""

    runners: int

    def open(self) -> None:
        """Starts what has to be started. It returns at once."""

    def client(self) -> Sequela:
        """A client of the server. Raises SequelaError if the server cannot be started."""

    def failed(self, client: Sequela) -> None:
        """Told that the server did not answer this client."""

    def close(self) -> None:
        """Stops what `open` started."""


class NamedServer:
    """A server that somebody else runs.

    Args:
        address: its address.
        credentials: how to reach it safely.
    """

    runners = _NAMED_RUNNERS

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self._client = Sequela(address, credentials=credentials)

    def open(self) -> None:
        """Nothing: the client connects when it is used."""

    def client(self) -> Sequela:
        """The one client of the server; gRPC connects it again."""
        return self._client

    def failed(self, client: Sequela) -> None:
        """Nothing: its operator has to mend it."""

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()


class CoreServer:
    """A server in a process of its own on one core, which is started again when it dies.

    A thread starts it and holds it as long as it is wanted.

    Args:
        core: the core that it is bound to; None: it may use any.
        settings: further arguments of the server.
    """

    runners = _LOCAL_RUNNERS

    def __init__(self, core: int | None, settings: Sequence[str] = ()) -> None:
        self._core, self._settings = core, tuple(settings)
        self._changed = threading.Condition()
        self._client: Sequela | None = None
        self._error: Exception | None = None
        self._wanted = True
        self._thread = threading.Thread(target=self._hold, name="sequela-server", daemon=True)

    def open(self) -> None:
        """Starts the server, and does not wait for it."""
        self._thread.start()

    def client(self) -> Sequela:
        """A client of the running server; waits for its start."""
        with self._changed:
            self._changed.wait_for(lambda: self._client or self._error or not self._wanted)
            if self._client is None:
                raise self._error or TryAgain("the server was stopped")
            return self._client

    def failed(self, client: Sequela) -> None:
        """Starts another server in place of this one, unless that was done already."""
        with self._changed:
            if self._client is client:
                self._client = None
                self._changed.notify_all()

    def close(self) -> None:
        """Stops the server and waits for its end."""
        with self._changed:
            self._wanted, self._client = False, None
            self._changed.notify_all()
        self._thread.join()

    def _hold(self) -> None:
        failures = 0
        while self._wanted:
            try:
                self._serve_once()
                failures = 0
            except Exception as error:
                failures += 1
                if failures >= _STARTS:
                    with self._changed:
                        self._error = error
                        self._changed.notify_all()
                    return

    def _serve_once(self) -> None:
        with ExitStack() as stack:
            with _on_core(self._core):
                address = stack.enter_context(embedded_server([*_LOCAL_SETTINGS, *self._settings]))
            client = stack.enter_context(Sequela(address))
            with self._changed:
                self._client = client if self._wanted else None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._client is not client)


@contextmanager
def _on_core(core: int | None) -> Iterator[None]:
    """Binds this thread to a core. A process that it starts meanwhile keeps to that core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(order=True)
class _Task:
    number: int
    work: Work = field(compare=False)
    future: Future[Any] = field(compare=False)
    first_failure: float | None = field(default=None, compare=False)
    failures: int = field(default=0, compare=False)

    def starts(self) -> bool:
        """Whether it is still wanted. It can be cancelled until it is first carried out."""
        return self.failures > 0 or self.future.set_running_or_notify_cancel()


class ServerPool:
    """Servers that share work. It is safe to use from several threads, and a context that opens and closes it.

    Args:
        hosts: the servers.
        patience_seconds: how long one piece of work is tried again.
    """

    def __init__(self, hosts: Sequence[Host], patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._hosts = tuple(hosts)
        self._patience_seconds = patience_seconds
        self._tasks: list[_Task] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._open = False
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def runners(self) -> int:
        """How many pieces of work are carried out at a time."""
        return sum(host.runners for host in self._hosts)

    def __enter__(self) -> ServerPool:
        for host in self._hosts:
            host.open()
            for _ in range(host.runners):
                thread = threading.Thread(target=self._run, args=(host,), name="sequela-runner", daemon=True)
                self._threads.append(thread)
                thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def submit(self, work: Work) -> Future[Any]:
        """Carries out a piece of work with one of the servers.

        Args:
            work: is passed a client. If it raises TryAgain it is called again later, perhaps with another client.

        Returns:
            Its result, or the error that remains.
        """
        task = _Task(next(self._numbers), work, Future())
        self._add(task)
        return task.future

    def close(self) -> None:
        """Stops the runners and the servers. Work that is left is cancelled."""
        self._closed.set()
        with self._changed:
            for task in self._tasks:
                if not task.future.cancel():
                    task.future.set_exception(TryAgain("the servers were stopped"))
            self._tasks.clear()
            self._changed.notify_all()
        # A closed connection cancels the calls that runners wait for.
        with ExitStack() as stack:
            for host in self._hosts:
                stack.callback(host.close)
        for thread in self._threads:
            thread.join()

    def _add(self, task: _Task) -> None:
        with self._changed:
            heapq.heappush(self._tasks, task)
            self._changed.notify()

    def _next(self) -> _Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._tasks or self._closed.is_set())
            return heapq.heappop(self._tasks) if self._tasks and not self._closed.is_set() else None

    def _run(self, host: Host) -> None:
        while (task := self._next()) is not None:
            if not task.starts():
                continue
            client: Sequela | None = None
            try:
                client = host.client()
                task.future.set_result(task.work(client))
            except TryAgain as error:
                if client is not None and not error.retry_after:
                    host.failed(client)
                self._try_again(task, error)
            except BaseException as error:
                task.future.set_exception(error)

    def _try_again(self, task: _Task, error: SequelaError) -> None:
        """Puts a piece of work back after a pause, or gives it up."""
        now = time.monotonic()
        task.first_failure = task.first_failure or now
        task.failures += 1
        if now - task.first_failure > self._patience_seconds:
            task.future.set_exception(error)
            return
        pause = min(_FIRST_WAIT_SECONDS * 2 ** (task.failures - 1), _LONGEST_WAIT_SECONDS)
        self._closed.wait(max(pause, error.retry_after or 0.0))
        if self._closed.is_set():
            task.future.set_exception(error)
        else:
            self._add(task)


def local_pool(
    workers: int | None = None,
    settings: Sequence[str] = (),
    patience_seconds: float = PATIENCE_SECONDS,
) -> ServerPool:
    """A pool of local servers.

    Args:
        workers: how many; None: one for each core that this process may use.
        settings: further arguments of the servers.
        patience_seconds: how long one piece of work is tried again.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    number = workers or len(cores) or os.cpu_count() or 1
    # More servers than cores share all of them.
    bound: list[int | None] = [*cores[:number]] if number <= len(cores) else [None] * number
    return ServerPool([CoreServer(core, settings) for core in bound], patience_seconds)


def named_pool(
    addresses: Sequence[str],
    credentials: Credentials | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> ServerPool:
    """A pool of running servers."""
    return ServerPool([NamedServer(address, credentials) for address in addresses], patience_seconds)


_shared: dict[tuple[int, object], ServerPool] = {}
_shared_lock = threading.Lock()


def shared_pool() -> ServerPool:
    """The local servers of this process, which are started when they are first asked for, and stopped at its end."""
    return _once("shared", local_pool)


def worker_pool(addresses: Sequence[str] = (), credentials: Credentials | None = None) -> ServerPool:
    """The servers of a process of Ray or Spark, which runs several of them on a machine.

    Args:
        addresses: running servers; empty: one local server for this process, which may use any core.
        credentials: how to reach them safely.
    """
    if addresses:
        return _once((tuple(addresses), credentials), lambda: named_pool(addresses, credentials))
    return _once("worker", lambda: ServerPool([CoreServer(None)]))


def _once(key: object, make: Callable[[], ServerPool]) -> ServerPool:
    with _shared_lock:
        # A process that was forked has a copy of the pool, but not its threads.
        pool = _shared.get((os.getpid(), key))
        if pool is None:
            pool = _shared[os.getpid(), key] = make().__enter__()
            atexit.register(pool.close)
        return pool
