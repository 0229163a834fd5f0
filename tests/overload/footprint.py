"""What a server and its engines hold: memory, open descriptors and threads, read from Linux's /proc."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.processes import MB, PROC, children, resident_mb, tree_cpu_seconds

QUIET_SECONDS, PATIENCE_SECONDS = 0.1, 10.0
"""A server is quiet if it used no processor time for so long; it has this much time to become so."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a server holds at one moment.

    Attributes:
        server_mb: Memory of the server's own process that is no part of a file: Pss_Anon and Pss_Shmem of Linux.
        engines_mb: The same of all other processes, which are its engines and the processes that fork them. A page that
            processes share after a fork counts once: each of them has its part. Pages of files, such as libraries, are
            left out: they are the same at all times, and how many processes share them depends on other programs.
        resident_mb: The resident memory of all processes. Pages that they share count for each.
        descriptors: Open descriptors of all processes.
        threads: Threads of all processes.
        processes: Their ids.
        thread_names: The names of all threads as Linux knows them, those of engines behind `engine: `.
    """

    server_mb: float
    engines_mb: float
    resident_mb: float
    descriptors: int
    threads: int
    processes: frozenset[int]
    thread_names: tuple[str, ...] = ()

    @property
    def own_mb(self) -> float:
        """The memory of all processes that is no part of a file."""
        return self.server_mb + self.engines_mb


def footprint(pid: int) -> Footprint:
    """Returns what a server holds now. Processes that end meanwhile are left out."""
    engines = list(_below(pid))
    every = (pid, *engines)
    names = sorted(
        (*_thread_names(pid), *(f"engine: {name}" for each in engines for name in _thread_names(each)))
    )
    return Footprint(
        _own_mb(pid),
        sum(_if_running(_own_mb, each) for each in engines),
        sum(_if_running(resident_mb, each) for each in every),
        sum(int(_if_running(_descriptors, each)) for each in every),
        len(names),
        frozenset(every),
        tuple(names),
    )


def await_quiet(pid: int) -> None:
    """Waits until the server and its engines do nothing, but not for ever: some work comes back by the clock."""
    end, before = time.monotonic() + PATIENCE_SECONDS, -1.0
    while before != (now := tree_cpu_seconds(pid)) and time.monotonic() < end:
        before = now
        time.sleep(QUIET_SECONDS)


def growth(samples: Sequence[float], tenth: int) -> tuple[float, float]:
    """Returns the median of the tenth after the warm-up, which is the first tenth, and the median of the last tenth.

    Medians, because single samples hold work that has just ended. Tenths, because a line through all samples would
    turn a single step into a growth that goes on.

    Args:
        samples: What was held, in order.
        tenth: How many samples a tenth of the planned run has. A run that ended early may have fewer than ten of them.
    """
    return median(samples[tenth : 2 * tenth] or samples), median(samples[-tenth:])


def _below(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from _below(child)


def _if_running(measure: Callable[[int], float], pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError, StopIteration):
        return measure(pid)
    return 0.0


def _own_mb(pid: int) -> float:
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    return (
        sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
        * 1024
        / MB
    )


def _descriptors(pid: int) -> int:
    return len(list(Path(PROC, str(pid), "fd").iterdir()))


def _thread_names(pid: int) -> Iterator[str]:
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(PROC, str(pid), "task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                yield (thread / "comm").read_text().rstrip("\n")
