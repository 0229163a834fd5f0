"""Pools for tests, and a listener that remembers."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sequela.concurrency.deadline import Deadline
from sequela.engines.exits import EngineExit
from sequela.engines.limits import EngineLimits
from sequela.engines.pool import EnginePool
from waiting import PATIENCE, eventually

MEMORY_BYTES = 400 << 20
SANDBOXED = EngineLimits(sandboxed=True, lazy=True, memory_bytes=MEMORY_BYTES)
TRUSTED = EngineLimits(sandboxed=False)


class Listener:
    """Remembers what happened."""

    def __init__(self) -> None:
        self.started = 0
        self.exits: list[EngineExit] = []
        self._changed = threading.Condition()

    def engine_started(self, pool: str) -> None:
        with self._changed:
            self.started += 1
            self._changed.notify_all()

    def engine_ended(self, pool: str, ending: EngineExit) -> None:
        with self._changed:
            self.exits.append(ending)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)


def nothing_to_say(question: bytes) -> bytes:
    raise AssertionError(question)


def upper(question: bytes) -> bytes:
    return question.upper()


@contextmanager
def running(
    entry: str = "toy_engine",
    size: int = 2,
    limits: EngineLimits = TRUSTED,
    listener: Listener | None = None,
    config: bytes = b"",
    **more: object,
) -> Iterator[EnginePool]:
    pool = EnginePool(
        "test",
        size,
        f"engines.{entry}:serve",
        config,
        limits,
        listener or Listener(),
        **more,  # type: ignore[arg-type]
    )
    pool.start()
    try:
        yield pool
    finally:
        pool.close()


def call(pool: EnginePool, task: str, seconds: float = 60.0, affinity: str = "") -> str:
    return pool.call(task.encode(), Deadline(seconds), upper, affinity).decode()


def at_work(pool: EnginePool) -> int:
    """How many engines have a task."""
    return sum(engine._working for engine in pool._places.all())


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def children(pid: int) -> list[int]:
    """The children of a process that has one thread, zombies too."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(each) for each in file.read().split()]


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


FOR_EVER = math.inf


def change_at_work(pool: EnginePool, change: Callable[[Deadline], None], seconds: float = 60.0) -> Deadline:
    """A deadline that another thread changes a little after an engine has got a task."""
    deadline = Deadline(seconds)

    def change_later() -> None:
        eventually(lambda: at_work(pool) > 0)
        time.sleep(0.1)
        change(deadline)

    threading.Thread(target=change_later).start()
    return deadline
