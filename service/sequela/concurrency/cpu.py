"""How many cores this process really has: containers are given less than the machine, by affinity or by quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
GROUPS = Path("sys/fs/cgroup")


def usable_cores(root: Path = ROOT) -> int:
    """The cores of the affinity mask, or those that the control group's quota pays for where these are fewer.

    A quota of 1.5 counts as 2. At least 1. `root` is where `proc` and `sys` are found.
    """
    return max(1, min([_allowed(), *map(math.ceil, _quotas(root))]))


def own_cores(workers: int) -> tuple[int, ...]:
    """The cores of the affinity mask where there are as many as workers; else none is a worker's own."""
    try:
        cores = tuple(sorted(os.sched_getaffinity(0)))
    except AttributeError:  # not on every platform
        return ()
    return cores if len(cores) == workers else ()


def _allowed() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every platform
        return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """The quotas in cores that bind this process: those of its control group and of all above it."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        inside = PurePosixPath(group.lstrip("/"))
        for each in (inside, *inside.parents):
            if not controllers:
                yield from _quota(*_read(root / GROUPS / each / "cpu.max").split())
            elif "cpu" in controllers.split(","):
                folder = root / GROUPS / controllers / each
                yield from _quota(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _quota(budget: str = "", period: str = "") -> Iterator[float]:
    """Microseconds of work in every period; `max` (version 2) and -1 (version 1) set no bound."""
    if budget.strip().isdigit() and period:
        yield int(budget) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
