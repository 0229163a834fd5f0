"""Shares the work of a bulk explanation between servers: local ones, one for each core, or running ones.

A pool has at least two runners for each server, so that the server explains one sequence while the answer to another is
read. A runner takes a piece of work and carries it out with the client of its server. If the server fails, the runner
puts the piece back, and it is carried out later, perhaps by another server.
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
from sequela_client.errors import CallerError, SequelaError, TryAgain
from sequela_client.local_server import embedded_server

Work = Callable[[Sequela], Any]

PATIENCE_SECONDS = 60.0
"""How long a piece of work is retried while servers fail, in seconds."""

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0
_LOCAL_RUNNERS = 2
_NAMED_RUNNERS = 4
_STARTS = 3

# A local server has one caller and one core. One thread runs models, and answers are forgotten after a second, since
# they go into files. The model is the user's own, so it runs in the server's process: with a process for the model
# alone, an alert would take half as much processor time again.
_LOCAL_SETTINGS = (
    *("--workers", "1", "--max-concurrent", "2", "--upload-engines", "0", "--explanation-ttl", "1"),
    *("--log-level", "warning", "--default-timeout", "86400", "--no-http-inference"),
)


class Host(Protocol):
    """One server."""

    runners: int

    def open(self) -> None:
        """Starts the server if that is needed, without waiting for it."""

    def client(self) -> Sequela:
        """Returns a client of the server. Raises SequelaError if the server cannot be started."""

    def failed(self, client: Sequela) -> None:
        """Is called if the server did not answer this client."""

    def close(self) -> None:
        """Stops what `open` started."""


class NamedServer:
    """A running server, which this process neither starts nor stops.

    Args:
        address: its address.
        credentials: how to reach it safely.
    """

    runners = _NAMED_RUNNERS

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self._client = Sequela(address, credentials=credentials)

    def open(self) -> None:
        """Does nothing: the client connects when it is used."""

    def client(self) -> Sequela:
        """Returns the client of the server. It is always the same one, since gRPC reconnects by itself."""
        return self._client

    def failed(self, client: Sequela) -> None:
        """Does nothing: only the operator can repair the server."""

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()


class CoreServer:
    """A server in a process of its own on one core. It is restarted if it dies.

    A thread starts it and keeps it until it is stopped.

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
        """Waits until the server has started, and returns a client of it."""
        with self._changed:
            self._changed.wait_for(lambda: self._client or self._error or not self._wanted)
            if self._client is None:
                raise self._error or TryAgain("the server was stopped")
            return self._client

    def failed(self, client: Sequela) -> None:
        """Replaces the server by a new one, unless another client has already led to that."""
        with self._changed:
            if self._client is client:
                self._client = None
                self._changed.notify_all()

    def close(self) -> None:
        """Stops the server and waits until it has ended."""
        with self._changed:
            self._wanted, self._client = False, None
            self._changed.notify_all()
        self._thread.join()

    def _hold(self) -> None:
        failures = 0
        while self._wanted:
            try:
                self._serve_once()
                # Only consecutive failures count. A server that runs for days may fail more often than that.
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
            # The server inherits the core of the thread that starts it; the thread is freed again.
            with _on_core(self._core):
                address = stack.enter_context(embedded_server([*_LOCAL_SETTINGS, *self._settings]))
            client = stack.enter_context(Sequela(address))
            with self._changed:
                # It may have been closed while the server started.
                self._client = client if self._wanted else None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._client is not client)


@contextmanager
def _on_core(core: int | None) -> Iterator[None]:
    """Binds this thread, and the processes that it starts meanwhile, to a core."""
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
        """Returns whether the work is still wanted. It can be cancelled until it is first carried out."""
        return self.failures > 0 or self.future.set_running_or_notify_cancel()


class ServerPool:
    """Servers that share work. Several threads may use a pool; as a context manager it opens and closes the servers.

    Args:
        hosts: the servers.
        patience_seconds: how long a piece of work is retried, in seconds.
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
            work: called with a client. If it raises TryAgain, it is called again later, perhaps with another client.

        Returns:
            A future with the result of the work, or with its last error.
        """
        task = _Task(next(self._numbers), work, Future())
        self._add(task)
        return task.future

    def close(self) -> None:
        """Stops the runners and the servers, and cancels the remaining work."""
        self._closed.set()
        with self._changed:
            for task in self._tasks:
                # Work that was begun before cannot be cancelled, but its caller must not wait for ever.
                if not task.future.cancel():
                    task.future.set_exception(TryAgain("the servers were stopped"))
            self._tasks.clear()
            self._changed.notify_all()
        # This cancels the calls that runners wait for.
        with ExitStack() as stack:
            for host in self._hosts:
                stack.callback(host.close)
        for thread in self._threads:
            thread.join()

    def _add(self, task: _Task) -> None:
        with self._changed:
            # The oldest work first, also if it was put back: the caller waits for results in order.
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
            except SequelaError as error:
                # Another piece of work may have found the server gone, and its client was closed.
                if not (isinstance(error, TryAgain) or error.reason == "CLIENT_CLOSED"):
                    task.future.set_exception(error)
                    continue
                if client is not None and not error.retry_after:
                    host.failed(client)
                self._try_again(task, error)
            except BaseException as error:
                task.future.set_exception(error)

    def _try_again(self, task: _Task, error: SequelaError) -> None:
        """Puts a piece of work back after a pause, or gives up if its time is over."""
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
    # If there are more servers than cores, they share all cores.
    bound: list[int | None] = [*cores[:number]] if number <= len(cores) else [None] * number
    return ServerPool([CoreServer(core, settings) for core in bound], patience_seconds)


def addresses_of(servers: Sequence[str]) -> tuple[str, ...]:
    """The addresses of running servers as a tuple.

    Raises:
        CallerError: one address was given instead of a list; its characters would be taken for addresses.
    """
    if isinstance(servers, str):
        text = f"servers: must be a list of addresses, not {servers!r}; write [{servers!r}]"
        raise CallerError(text, reason="ARGUMENT_INVALID")
    return tuple(servers)


def named_pool(
    addresses: Sequence[str],
    credentials: Credentials | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> ServerPool:
    """A pool of running servers."""
    hosts = [NamedServer(address, credentials) for address in addresses_of(addresses)]
    return ServerPool(hosts, patience_seconds)


_shared: dict[tuple[int, object], ServerPool] = {}
_shared_lock = threading.Lock()


def shared_pool() -> ServerPool:
    """Returns the local servers of this process. They start with the first call, and stop when the process ends."""
    return _once("shared", local_pool)


def worker_pool(addresses: Sequence[str] = (), credentials: Credentials | None = None) -> ServerPool:
    """Returns the servers for a worker process of Ray or Spark. A machine has several such processes.

    Args:
        addresses: running servers; empty: one local server for this process, which may use any core.
        credentials: how to reach them safely.
    """
    if addresses:
        return _once((tuple(addresses), credentials), lambda: named_pool(addresses, credentials))
    return _once("worker", lambda: ServerPool([CoreServer(None)]))


def _once(key: object, make: Callable[[], ServerPool]) -> ServerPool:
    with _shared_lock:
        # A forked process has a copy of the pool but not its threads, so the copy would never do any work.
        pool = _shared.get((os.getpid(), key))
        if pool is None:
            pool = _shared[os.getpid(), key] = make().__enter__()
            atexit.register(pool.close)
        return pool
