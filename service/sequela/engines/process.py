"""What happens in a new engine between the fork and its own code."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from sequela.engines.channel import Channel
from sequela.engines.frames import FrameConnection
from sequela.engines.orders import ForkOrder

DATA, CONTROL = 3, 4
"""The descriptors of the two sockets, in every engine."""
PR_SET_PDEATHSIG = 1
START_FAILED = 70  # the status of EX_SOFTWARE


def run(order: ForkOrder, entry: Callable[[bytes, Channel], None], files: list[int], log: int) -> NoReturn:
    """Runs an engine in this process, which was just forked, and ends the process."""
    status = START_FAILED
    try:
        _keep_only(files, log)
        _prepare(order)
        channel = _channel(order)
        try:
            entry(channel.config(), channel)
            status = 0
        except Exception as error:
            channel.fail(error)
    finally:
        os._exit(status)


def _keep_only(files: list[int], log: int) -> None:
    """Closes all files but the two sockets, standard input and the output."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Copies above all numbers in use, so that none is overwritten before it was copied.
    above = [os.dup(file) for file in files]
    for file, number in zip(above, (DATA, CONTROL), strict=True):
        if file != number:
            os.dup2(file, number, inheritable=False)
    for output in (1, 2) if log >= 0 else ():
        os.dup2(log, output)
    os.closerange(CONTROL + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _prepare(order: ForkOrder) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order.core >= 0:
        with contextlib.suppress(OSError, ValueError):
            os.sched_setaffinity(0, {order.core})
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()


def _channel(order: ForkOrder) -> Channel:
    data = socket.socket(fileno=DATA)
    return Channel(FrameConnection(data, order.max_frame_bytes), socket.socket(fileno=CONTROL), lambda: None)
