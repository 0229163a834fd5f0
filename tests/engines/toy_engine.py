"""Engines whose tasks are words: what they do, well or badly."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from sequela.concurrency.deadline import Deadline
from sequela.engines.channel import Ask, Channel


def serve(config: bytes, channel: Channel) -> None:
    channel.serve(b"ready:" + config, handle)


def handle(task: bytes, ask: Ask, deadline: Deadline) -> bytes:
    verb, _, rest = task.decode().partition(" ")
    return VERBS[verb](rest, ask, deadline)


def echo(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    return rest.encode()


def pid(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    return str(os.getpid()).encode()


def question(rest: str, ask: Ask, _deadline: Deadline) -> bytes:
    return b"|".join(ask(word.encode()) for word in rest.split())


def obey(rest: str, _ask: Ask, deadline: Deadline) -> bytes:
    """Works until the deadline ends or the request is cancelled, as models do."""
    while True:
        try:
            deadline.check()
        except Exception as error:
            return f"{type(error).__name__} {deadline.hurried}".encode()
        time.sleep(0.005)


def switch(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    return str(sys.getswitchinterval()).encode()


def hang(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        time.sleep(1)


def fail(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    raise ValueError(rest)


def die(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    os.kill(os.getpid(), int(rest))
    raise AssertionError


def leave(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    os._exit(int(rest))


def spin(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    end = time.process_time() + float(rest)
    while time.process_time() < end:
        pass
    return b"spun"


def burn_on(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    threading.Thread(target=spin, args=("60", _ask, _deadline), daemon=True).start()
    return b"done"


def environment(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    return "\n".join(os.environ).encode()


def files(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    """What it has open, apart from the folder that it lists."""
    found = [os.readlink(f"/proc/self/fd/{number}") for number in sorted(os.listdir("/proc/self/fd"))[:-1]]
    return "\n".join(found).encode()


def cores(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    return str(sorted(os.sched_getaffinity(0))).encode()


def much(rest: str, _ask: Ask, _deadline: Deadline) -> bytes:
    return bytes(5000)


ALL = (
    much,
    burn_on,
    echo,
    pid,
    question,
    obey,
    switch,
    hang,
    fail,
    die,
    leave,
    spin,
    environment,
    files,
    cores,
)
VERBS = {each.__name__: each for each in ALL}
