"""The memory, the processor time and the children of another process, read from Linux's /proc."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")
MB = 1e6


def children(parent: int) -> list[int]:
    """Returns the ids of the running processes that `parent` started."""
    return [int(each.name) for each in PROC.glob("[0-9]*") if _parent(each) == parent]


def resident_mb(pid: int) -> float:
    """Returns the memory that is in use now, in MB. Raises FileNotFoundError if the process has ended."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Returns the peak memory since `forget_peak`, or since the process started, in MB."""
    return _status_mb(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Resets the peak, so that `peak_mb` covers only what follows."""
    (PROC / str(pid) / "clear_refs").write_text("5")


def available_mb() -> float:
    """Returns how much memory a new process may use before the machine swaps, in MB."""
    return _mb((PROC / "meminfo").read_text(), "MemAvailable")


def tree_mb(pid: int) -> float:
    """The memory that a process and all processes below it use now, in MB."""
    return _tree_sum(pid, resident_mb)


def tree_cpu_seconds(pid: int) -> float:
    """The processor time that a process and all processes below it have used, those that have ended included.

    Linux counts it in steps of 10 ms.
    """
    return _tree_sum(pid, _cpu_seconds)


def _tree_sum(root: int, measure: Callable[[int], float]) -> float:
    waiting, total = [root], 0.0
    while waiting:
        pid = waiting.pop()
        # A process may end between being listed and being read.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, StopIteration):
            total += measure(pid)
        waiting += children(pid)
    return total


def _cpu_seconds(pid: int) -> float:
    # utime, stime, and those of children that were waited for (proc(5)).
    return sum(map(int, _stat(PROC / str(pid))[11:15])) / os.sysconf("SC_CLK_TCK")


def _status_mb(pid: int, name: str) -> float:
    return _mb((PROC / str(pid) / "status").read_text(), name)


def _mb(text: str, name: str) -> float:
    line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / MB


def _parent(process: Path) -> int | None:
    """Returns the id of the parent of a process; None if the process has ended."""
    try:
        return int(_stat(process)[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stat(process: Path) -> list[str]:
    """Returns the fields of a process from its state on. The name before it, in brackets, may contain anything."""
    return (process / "stat").read_text().rpartition(")")[2].split()
