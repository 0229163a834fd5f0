"""A pool whose engines are brought up to date while they work."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from engines.pools_of_engines import Listener, alive, at_work, call, running
from sequela.concurrency.deadline import Deadline
from sequela.engines.exits import EngineLost, ExitReason
from waiting import eventually


def test_each_engine_gets_the_task_and_later_ones_the_configuration() -> None:
    """All answer it, each once. An engine that starts afterwards says what it was started with."""
    said: list[bytes] = []
    listener = Listener()
    with running(size=3, listener=listener, config=b"old", on_ready=said.append) as pool:
        listener.wait(lambda: listener.started == 3)
        pids = pool.renew(b"new", b"pid ", Deadline(60))
        assert len(set(pids)) == 3
        os.kill(int(pids[0]), signal.SIGKILL)
        listener.wait(lambda: listener.started == 4)
        assert said == [*[b"ready:old"] * 3, b"ready:new"]


def test_an_engine_at_work_ends_its_task_first() -> None:
    """Its caller gets the answer; meanwhile the other engine works on."""
    listener = Listener()
    with running(size=2, listener=listener) as pool, ThreadPoolExecutor(2) as others:
        listener.wait(lambda: listener.started == 2)
        deadline = Deadline()
        busy = others.submit(pool.call, b"obey ", deadline, bytes.upper)
        eventually(lambda: len(pool._places._idle) == 1)
        renewal = others.submit(pool.renew, b"", b"echo done", Deadline(60))
        assert [call(pool, "echo on") for _ in range(3)] == ["on"] * 3
        assert not renewal.done()
        deadline.cancel()
        assert busy.result(60) == b"Cancelled False"
        assert renewal.result(60) == [b"done"] * 2


def test_an_engine_that_ends_meanwhile_is_passed_over() -> None:
    """Nobody waits for it, since the one in its place starts with the new configuration."""
    listener = Listener()
    with running(size=1, listener=listener) as pool, ThreadPoolExecutor(2) as others:
        listener.wait(lambda: listener.started == 1)
        own = int(call(pool, "pid "))
        busy = others.submit(pool.call, b"hang ", Deadline(), bytes.upper)
        eventually(lambda: at_work(pool) == 1)
        renewal = others.submit(pool.renew, b"", b"echo done", Deadline(60))
        eventually(lambda: len(pool._places._waiters) == 1)
        os.kill(own, signal.SIGKILL)
        assert renewal.result(60) == []
        with pytest.raises(EngineLost):
            busy.result(60)


@pytest.mark.parametrize(
    ("task", "reason"), [(b"die 6", ExitReason.CRASHED), (b"fail x", ExitReason.START_FAILED)]
)
def test_an_engine_that_fails_on_it_is_replaced(task: bytes, reason: ExitReason) -> None:
    """If it crashed, the caller learns that; no engine works on without having done the task."""
    listener = Listener()
    with running(size=1, listener=listener) as pool:
        listener.wait(lambda: listener.started == 1)
        before = int(call(pool, "pid "))
        if reason is ExitReason.CRASHED:
            with pytest.raises(EngineLost):
                pool.renew(b"", task, Deadline(60))
        else:
            assert pool.renew(b"", task, Deadline(60)) == []
        listener.wait(lambda: listener.started == 2)
        assert [each.reason for each in listener.exits] == [reason]
        eventually(lambda: not alive(before))
        assert int(call(pool, "pid ")) != before
