"""The processor time and the memory of a server and the processes that it starts, as Linux counts them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# The fields of /proc/PID/stat after the name of the program: the parent's id, and the time in user and system mode.
_PARENT, _USER, _SYSTEM = 1, 11, 12


def can_measure() -> bool:
    """Whether this system tells what processes use."""
    return sys.platform == "linux" and (_PROC / "self" / "smaps_rollup").exists()


@contextmanager
def on_one_core() -> Iterator[None]:
    """Binds this thread, and what it starts, to one of its cores for a while, where the system can do that."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class ServerProcesses:
    """A server by the id of its first process. Its children start the engines, which are their children."""

    pid: int

    def core_seconds(self) -> float:
        """The processor time of all its processes so far."""
        ticks = sum(int(stat[_USER]) + int(stat[_SYSTEM]) for pid in self._tree() if (stat := _stat(pid)))
        return ticks / os.sysconf("SC_CLK_TCK")

    def front_bytes(self) -> int:
        """The memory of the server and its children. What processes share is divided among them."""
        return sum(map(_bytes_of, [self.pid, *_children(self.pid)]))

    def engine_bytes(self) -> int:
        """The memory of the engines."""
        return sum(_bytes_of(pid) for child in _children(self.pid) for pid in _descendants(child))

    def _tree(self) -> list[int]:
        return [self.pid, *_descendants(self.pid)]


def _descendants(pid: int) -> list[int]:
    return [each for child in _children(pid) for each in (child, *_descendants(child))]


def _children(pid: int) -> list[int]:
    running = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    return [each for each in running if (stat := _stat(each)) and int(stat[_PARENT]) == pid]


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may have spaces and brackets; none if the process has ended."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []


def _bytes_of(pid: int) -> int:
    with suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
