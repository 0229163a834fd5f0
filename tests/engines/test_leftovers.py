"""What engines leave behind in the front and the forkserver when they are replaced."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from engines.pools_of_engines import SANDBOXED, TRUSTED, Listener, call, children, open_files, running
from sequela.engines import fork_client
from sequela.engines.exits import EngineLost
from sequela.engines.limits import EngineLimits
from waiting import eventually


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("limits", "count"),
    [
        (TRUSTED, 10),
        (SANDBOXED, 10),
        pytest.param(TRUSTED, 1000, marks=pytest.mark.slow),
        pytest.param(SANDBOXED, 300, marks=pytest.mark.slow),
    ],
)
def test_replacement_leaves_nothing_behind(limits: EngineLimits, count: int) -> None:
    """No open files, no threads, no zombies."""
    listener = Listener()
    with running(size=1, limits=limits, listener=listener) as pool:
        call(pool, "echo x")
        server = fork_client.UNTRUSTED if limits is SANDBOXED else fork_client.TRUSTED
        assert server._process
        parent = server._process._process.pid
        # Servers of other tests may have engines from the same forkserver.
        others = set(children(parent)) - {int(call(pool, "pid"))}
        eventually(lambda: asleep(parent))
        before = held(parent)
        for _ in range(count):
            with pytest.raises(EngineLost):
                call(pool, "leave 0")
            call(pool, "echo x")
        assert listener.started == count + 1
        with suppress(AssertionError):  # the numbers are told below
            eventually(lambda: no_more(held(parent), before))
        after = held(parent)
        assert no_more(after, before), (before, after)
        own = {int(call(pool, "pid"))}
        eventually(lambda: set(children(parent)) - others == own)


def held(forkserver: int) -> tuple[int, int, int]:
    """The open files and threads of this process, and the open files of the forkserver."""
    return open_files(), threading.active_count(), len(os.listdir(f"/proc/{forkserver}/fd"))


def no_more(after: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return all(now <= then for now, then in zip(after, before, strict=True))


def asleep(forkserver: int) -> bool:
    """Whether it waits for orders. While it is at work, an engine may answer whose files it is still to close."""
    return Path(f"/proc/{forkserver}/stat").read_text().rpartition(")")[2].split()[0] == "S"
