"""The front's side of the forkserver."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sequela.engines import orders
from sequela.engines.exits import ProcessEnd
from sequela.engines.orders import Ended, Forked, ForkOrder, Import

MAX_FORK_SECONDS = 120.0
LINGER_SECONDS = 30.0
"""How long a forkserver outlives the last pool, so that a new pool need not wait for its imports."""

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
"""The environment variables that engines get. They get no others, because some hold passwords."""

PASSED_ON_PREFIXES = ("OPENBLAS_", "MKL_", "NPY_")
"""Prefixes of further variables that engines get. These determine how numbers are computed, and so the last bits of an
answer, which must be the same as on a server without engines.
"""

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


class ForkFailed(Exception):
    """No engine could be forked."""


@dataclass(frozen=True, slots=True)
class ForkedEngine:
    """A new process: its id, and a file descriptor (pidfd) that refers to it even after it has ended."""

    pid: int
    pidfd: int


@dataclass(slots=True)
class _Order:
    """An order that waits for its answer."""

    on_end: Callable[[ProcessEnd], None]
    done: threading.Event = field(default_factory=threading.Event)
    engine: ForkedEngine | None = None
    error: str = "it took too long, or the forkserver ended"
    abandoned: bool = False


class ForkServer:
    """Forks engines. Starts its process with the first order, and again after that process ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _ForkserverProcess | None = None
        self._users = 0
        self._timer: threading.Timer | None = None

    def fork(
        self,
        order: ForkOrder,
        sockets: tuple[socket.socket, socket.socket],
        on_end: Callable[[ProcessEnd], None],
        seconds: float,
    ) -> ForkedEngine:
        """Forks an engine that gets these sockets; it imports the module of its entry, if it has not yet.

        Args:
            order: What kind of engine.
            sockets: The engine's ends of its connection and of its control socket.
            on_end: Is called once when the engine has ended.
            seconds: How long to wait.

        Raises:
            ForkFailed: The entry cannot be imported, the machine has no room for another process, or it took too long.
        """
        files = [each.fileno() for each in sockets]
        return self._running().fork(order, files, on_end, min(seconds, MAX_FORK_SECONDS))

    def prepare(self, entry: str) -> None:
        """Starts the process and lets it import the module of an entry, without waiting."""
        self._running().send(Import(entry))

    def acquire(self) -> None:
        """Notes that one more pool uses this forkserver."""
        with self._lock:
            self._users += 1
            if self._timer:
                self._timer.cancel()

    def release(self) -> None:
        """Notes that a pool no longer uses this forkserver. Without pools, the process ends after `LINGER_SECONDS`."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._timer = threading.Timer(LINGER_SECONDS, self._end_unused)
                self._timer.name, self._timer.daemon = "forkserver-end", True
                self._timer.start()

    def close(self) -> None:
        """Ends the process, and with it all its engines."""
        with self._lock:
            process, self._process = self._process, None
        if process:
            process.close()

    def _running(self) -> _ForkserverProcess:
        with self._lock:
            if self._process is None or self._process.ended:
                self._process = _ForkserverProcess()
            return self._process

    def _end_unused(self) -> None:
        if self._users == 0:
            self.close()


class _ForkserverProcess:
    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = _start_process(theirs.fileno())
        except OSError:  # such as no room for open files
            self._socket.close()
            raise
        self._lock = threading.Lock()
        self._waiting: deque[_Order] = deque()
        self._engines: dict[int, Callable[[ProcessEnd], None]] = {}
        self.ended = False
        self._reader = threading.Thread(target=self._read, name="forkserver", daemon=True)
        self._reader.start()

    def fork(
        self, order: ForkOrder, files: list[int], on_end: Callable[[ProcessEnd], None], seconds: float
    ) -> ForkedEngine:
        entry = _Order(on_end)
        with self._lock:  # the answers come in the order of the questions
            if not self.ended:
                self._waiting.append(entry)
                with contextlib.suppress(OSError):
                    orders.send(self._socket, order, files)
        entry.done.wait(0 if self.ended else seconds)
        with self._lock:
            if entry.engine is None:
                entry.abandoned = True
                raise ForkFailed(f"no engine for {order.entry} could be started: {entry.error}")
            return entry.engine

    def send(self, packet: Import) -> None:
        with self._lock, contextlib.suppress(OSError):
            if not self.ended:
                orders.send(self._socket, packet)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                packet, files = orders.receive(self._socket)
                if isinstance(packet, Forked):
                    self._begin(packet, files)
                elif isinstance(packet, Ended):
                    self._engines.pop(packet.pid)(ProcessEnd(packet.status, packet.log))
                else:
                    break
        self._end()

    def _begin(self, packet: Forked, files: list[int]) -> None:
        with self._lock:
            entry = self._waiting.popleft()
            # An engine that nobody gets ends by itself, since its sockets are closed.
            self._engines[packet.pid] = lambda _: None
            if packet.error:
                entry.error = packet.error
            elif not files:
                entry.error = "the server has too many open files"
            elif entry.abandoned:
                os.close(files[0])
            else:
                entry.engine = ForkedEngine(packet.pid, files[0])
                self._engines[packet.pid] = entry.on_end
        entry.done.set()

    def _end(self) -> None:
        """Engines cannot outlive their forkserver: the kernel ends them."""
        with self._lock:
            self.ended = True
            waiting = list(self._waiting)
        self._process.kill()
        self._process.wait()
        self._socket.close()
        for on_end in self._engines.values():
            on_end(ProcessEnd(None))
        for entry in waiting:
            entry.done.set()


def _start_process(descriptor: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", "sequela.engines.forkserver", str(descriptor)],
        env=engine_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=2,  # the command prints its results to standard output
        pass_fds=[descriptor],
        start_new_session=True,
    )


def engine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables of the environment that engines get, given those of the server."""
    passed = {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or (name.startswith(PASSED_ON_PREFIXES) and not name.endswith("_THREADS"))
    }
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return passed | ONE_THREAD | {"ORT_DISABLE_TELEMETRY": "1", "PYTHONPATH": path}


TRUSTED, UNTRUSTED = ForkServer(), ForkServer()
"""All pools of a process share these two, so that its imports are paid for once. Untrusted engines have their own, so
that nothing of a trusted engine is in their memory.
"""
