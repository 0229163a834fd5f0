"""How many cores this process may use, and pinning of threads to them.

Containers get fewer cores than the machine has, by affinity or by quota.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path("/")
GROUPS = Path("sys/fs/cgroup")


def usable_cores(root: Path = ROOT) -> int:
    """Returns the number of cores in the affinity mask, or the control group's quota if that is lower.

    A quota of 1.5 cores counts as 2. The result is at least 1. Tests put their own `proc` and `sys` below `root`.
    """
    return max(1, min([_affinity_count(), *map(math.ceil, _quotas(root))]))


def own_cores(workers: int) -> tuple[int, ...]:
    """Returns the cores of the affinity mask, one per worker, or an empty tuple if the counts differ."""
    try:
        cores = tuple(sorted(os.sched_getaffinity(0)))
    except AttributeError:  # macOS and Windows
        return ()
    return cores if len(cores) == workers else ()


def pin_to(cores: Sequence[int]) -> Callable[[int], None] | None:
    """Returns a function that pins the calling thread to the core with a given number in `cores`.

    Without pinning, the scheduler often leaves two threads that wake each other on the same core for a few
    milliseconds, which is as long as many requests take. Returns None if there are no cores.
    """
    if not cores:
        return None

    def pin(number: int) -> None:
        # Pinning is only an optimisation: a sandbox may forbid it, or the core may no longer be available.
        with contextlib.suppress(OSError, ValueError):
            os.sched_setaffinity(0, {cores[number]})  # of this thread alone

    return pin


def _affinity_count() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Yields the quotas, in cores, of this process's control group and of all groups above it."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        inside = PurePosixPath(group.lstrip("/"))
        for each in (inside, *inside.parents):
            # Version 2 of control groups has a single hierarchy, which lists no controllers.
            if not controllers:
                yield from _quota(*_read(root / GROUPS / each / "cpu.max").split())
            elif "cpu" in controllers.split(","):
                folder = root / GROUPS / controllers / each
                yield from _quota(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _quota(budget: str = "", period: str = "") -> Iterator[float]:
    """Yields budget / period, both in microseconds. `max` (version 2) and -1 (version 1) mean no limit."""
    if budget.strip().isdigit() and period:
        yield int(budget) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
