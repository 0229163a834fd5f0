"""The process that engines are forked from: `python -m sequela.engines.forkserver DESCRIPTOR`.

It imports the modules of the engines once, so that a new engine is there in milliseconds. It has a single thread, and
never loads a model: what a library keeps for a model may not survive a fork. When the front is gone, it ends, and the
kernel ends the engines with it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module

from sequela.engines import orders, process
from sequela.engines.channel import Channel
from sequela.engines.orders import Ended, Forked, ForkOrder, Import

MAX_LOG_BYTES = 8000  # what Python says about a crash and its stack
Entry = Callable[[bytes, Channel], None]


class _Forkserver:
    def __init__(self, front: socket.socket) -> None:
        self._front = front
        self._logs: dict[int, int] = {}
        # A child that ends wakes the loop up through this pipe.
        self._wake, wake_end = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self._front, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wake in ready:
                os.read(self._wake, 4096)
            self._reap()
            if self._front.fileno() in ready:
                order, files = orders.receive(self._front)
                if isinstance(order, ForkOrder):
                    self._fork(order, files)
                elif isinstance(order, Import):
                    with contextlib.suppress(Exception):  # the ForkOrder for it will report the error
                        _load(order.entry)
                else:
                    return

    def _fork(self, order: ForkOrder, files: list[int]) -> None:
        log = -1
        try:
            entry = _load(order.entry)
            gc.freeze()  # so that engines share the pages of all objects until now
            log = os.memfd_create("log")
            parent = os.getpid()
            pid = os.fork()
        except Exception as error:
            orders.send(self._front, Forked(0, f"{type(error).__name__}: {error}"[:1000]))
            _close([*files, log] if log >= 0 else files)
            return
        if pid == 0:
            process.run(order, entry, files, log, parent)
        self._logs[pid] = log
        handle = os.pidfd_open(pid)
        orders.send(self._front, Forked(pid), [handle])
        _close([*files, handle])

    def _reap(self) -> None:
        while self._logs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            orders.send(self._front, Ended(pid, status, _tail(self._logs.pop(pid))))


def _load(entry: str) -> Entry:
    module, _, function = entry.partition(":")
    gc.disable()  # it would make the imports slower, and find nothing
    try:
        loaded: Entry = getattr(import_module(module), function)
    finally:
        gc.enable()
    return loaded


def _tail(log: int) -> str:
    if log < 0:
        return ""
    try:
        size = os.fstat(log).st_size
        return os.pread(log, MAX_LOG_BYTES, max(0, size - MAX_LOG_BYTES)).decode(errors="replace")
    finally:
        os.close(log)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)


def main() -> None:
    """Serves the front at the other end of the socket whose number is the first argument."""
    # A terminal sends these to all processes in the foreground; the front decides when engines end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as front:
        try:
            _Forkserver(front).serve()
        except (BrokenPipeError, ConnectionError):
            return  # the front is gone


if __name__ == "__main__":
    main()
