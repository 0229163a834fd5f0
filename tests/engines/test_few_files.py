"""Pools in a server that has no room for open files: it must recover when there is room again."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from engines.pools_of_engines import SANDBOXED, TRUSTED, Listener, call, open_files, running
from sequela.engines import fork_client
from sequela.engines.exits import ExitReason
from sequela.errors import Unavailable
from waiting import eventually

LAZY = replace(SANDBOXED, sandboxed=False, memory_bytes=0)
MOST_FILES = 12  # an engine that starts needs fewer, and the forkserver too


@contextmanager
def room_for(files: int) -> Iterator[None]:
    """Lets this process open so many files, and no more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    source = os.open(os.devnull, os.O_RDONLY)
    taken = [source]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 50, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(source))
        for _ in range(files):
            os.close(taken.pop())
        yield
    finally:
        for file in taken:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("forkserver_runs", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_engine_that_gets_no_files_gives_its_place_back(forkserver_runs: bool) -> None:
    """Wherever the files end, the caller hears of it at once, nothing stays open, and the next call succeeds."""
    with running(size=1, limits=LAZY) as pool:
        call(pool, "echo x")
        before = open_files()
        for files in range(MOST_FILES):
            if not forkserver_runs:
                fork_client.TRUSTED.close()
            with room_for(files), contextlib.suppress(Unavailable):
                assert call(pool, "echo x", affinity=str(files)) == "x"
            assert call(pool, "echo x", affinity=f"after {files}") == "x"
        eventually(lambda: open_files() <= before)


def test_an_engine_that_could_not_be_replaced_is_replaced_later() -> None:
    """When there is room for its files again, though nobody calls it."""
    listener = Listener()
    with running(size=1, limits=TRUSTED, listener=listener) as pool:
        pid = int(call(pool, "pid"))
        with room_for(0):
            os.kill(pid, signal.SIGKILL)
            listener.wait(lambda: len(listener.exits) > 1)
            assert listener.exits[1].reason is ExitReason.START_FAILED
        listener.wait(lambda: listener.started == 2)
