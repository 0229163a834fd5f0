"""Engines of lazy pools end when they have had nothing to do for a while."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from engines.pools_of_engines import SANDBOXED, Listener, alive, call, running
from sequela.engines.exits import ExitReason

IDLE_SECONDS = 0.3
IDLE = replace(SANDBOXED, sandboxed=False, memory_bytes=0, idle_seconds=IDLE_SECONDS)


def test_an_idle_engine_ends() -> None:
    """The next task gets a new one, and nobody is blamed."""
    listener = Listener()
    with running(limits=IDLE, listener=listener) as pool:
        first = call(pool, "pid", affinity="a")
        listener.wait(lambda: len(listener.exits) == 1)
        assert (listener.exits[0].affinity, listener.exits[0].reason) == ("a", ExitReason.RETIRED)
        assert "nothing to do for 0.3 s" in listener.exits[0].detail
        assert not alive(int(first))
        assert pool.up == 2
        assert call(pool, "pid", affinity="a") != first


@pytest.mark.slow
def test_an_engine_in_use_stays() -> None:
    """At work for longer than that, and asked again sooner than that."""
    limits = replace(IDLE, idle_seconds=1.0, grace_seconds=60.0)
    with running(limits=limits) as pool:
        last = call(pool, "pid", affinity="a")
        began = time.monotonic()
        assert call(pool, "obey", 1.5, "a").startswith("DeadlinePassed")
        asked = time.monotonic()
        while time.monotonic() < began + 3.0:
            found, before = call(pool, "pid", affinity="a"), asked
            asked = time.monotonic()
            # A busy machine may have asked later than that.
            assert found == last or asked - before > limits.idle_seconds
            last = found
