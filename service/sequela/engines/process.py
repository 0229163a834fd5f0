"""What happens in a new engine between the fork and its own code."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from sequela.engines import sandbox
from sequela.engines.channel import Channel
from sequela.engines.frames import FrameConnection
from sequela.engines.libc import PR_SET_PDEATHSIG, prctl
from sequela.engines.orders import ForkOrder

DATA, CONTROL, LOG = 3, 4, 5
"""The descriptors of the two sockets and of the log, in every engine."""
START_FAILED = 70  # the status of EX_SOFTWARE


def run(
    order: ForkOrder, entry: Callable[[bytes, Channel], None], files: list[int], log: int, parent: int
) -> NoReturn:
    """Runs an engine in this process, which was just forked, and ends the process.

    Args:
        order: What kind of engine.
        entry: Its function.
        files: The two sockets.
        log: The file for the stack of an engine that crashes. In a sandbox, also for all that it writes to its standard
            output and error; others write lines of the server's log there.
        parent: The process that forked it.
    """
    status = START_FAILED
    try:
        _keep_only(files, log, (1, 2, LOG) if order.sandboxed else (LOG,))
        _prepare(order, parent)
        channel = _channel(order)
        try:
            entry(channel.config(), channel)
            status = 0
        except Exception as error:
            channel.fail(error)
    finally:
        os._exit(status)


def _keep_only(files: list[int], log: int, outputs: tuple[int, ...]) -> None:
    """Closes all files but the two sockets, standard input and the outputs, of which `outputs` lead to the log."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Copies above all numbers in use, so that none is overwritten before it was copied.
    above = [os.dup(file) for file in files]
    for file, number in zip(above, (DATA, CONTROL), strict=True):
        if file != number:
            os.dup2(file, number, inheritable=False)
    for output in outputs:
        os.dup2(log, output)
    os.closerange(LOG + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _prepare(order: ForkOrder, parent: int) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was told
        os._exit(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(LOG)
    if order.core >= 0:
        with contextlib.suppress(OSError, ValueError):
            os.sched_setaffinity(0, {order.core})
    # Otherwise all engines would draw the same random numbers.
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    if order.sandboxed:
        sandbox.limit_resources(writes=bool(order.writable))


def _channel(order: ForkOrder) -> Channel:
    connection = FrameConnection(socket.socket(fileno=DATA), order.max_frame_bytes)
    return Channel(connection, socket.socket(fileno=CONTROL), lambda: _seal(order))


def _seal(order: ForkOrder) -> None:
    if not order.sandboxed:
        return
    report = sandbox.seal(order.memory_bytes, order.readable, order.writable)
    if not report.contained and not order.unsafe:
        raise sandbox.SandboxMissing(
            "the kernel offers neither Landlock nor seccomp to keep models contained"
        )
