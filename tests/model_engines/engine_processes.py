"""Finds the processes of engines, so that tests can end or stop them."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sequela.engines.fork_client import TRUSTED, UNTRUSTED, ForkServer


def trusted_engines() -> list[int]:
    """Returns the process numbers of the engines of the operator's models."""
    return _children(TRUSTED)


def untrusted_engines() -> list[int]:
    """Returns the process numbers of the engines of callers' models."""
    return _children(UNTRUSTED)


@contextmanager
def stopped(engines: Collection[int]) -> Iterator[None]:
    """Lets engines stand still, so that what they have been given stays under way, however long the test takes."""
    try:
        for engine in engines:
            with suppress(ProcessLookupError):
                os.kill(engine, signal.SIGSTOP)
        yield
    finally:
        for engine in engines:
            with suppress(ProcessLookupError):
                os.kill(engine, signal.SIGCONT)


def _children(forkserver: ForkServer) -> list[int]:
    process = forkserver._process
    if process is None:
        return []
    parent = process._process.pid
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return sorted(int(each.name) for each in processes if _parent(each) == parent)


def _parent(process: Path) -> int:
    """Returns the number of a process's parent; 0 if the process has ended, though nobody has asked for its status."""
    try:
        # The name of the program stands in parentheses, and may contain spaces.
        state, parent, *_ = (process / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else int(parent)
