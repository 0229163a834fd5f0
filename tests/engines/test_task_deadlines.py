"""Deadlines of tasks at work: engines follow every change, and those that do not stop are ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from engines.pools_of_engines import (
    SANDBOXED,
    TRUSTED,
    Listener,
    call,
    change_at_work,
    running,
    upper,
)
from sequela.concurrency.deadline import Deadline
from sequela.engines import watcher
from sequela.engines.control import DeadlineState
from sequela.engines.exits import EngineLost, ExitReason
from sequela.engines.limits import EngineLimits
from sequela.errors import Cancelled
from waiting import eventually

SOON_SECONDS = 30.0  # on a machine that is busy with other tests, and before the deadline of 60 s


@pytest.mark.parametrize(
    ("change", "seconds", "end"),
    [
        (lambda d: None, 0.5, "DeadlinePassed False"),
        (Deadline.cancel, 60.0, "Cancelled False"),
        (lambda d: d.hurry(d.now() + 0.1), 60.0, "DeadlinePassed True"),
        (lambda d: d.shorten(0.001), 60.0, "DeadlinePassed False"),
    ],
    ids=["passes", "cancel", "hurry", "shorten"],
)
@pytest.mark.parametrize(
    "limits",
    [pytest.param(TRUSTED, id="trusted"), pytest.param(SANDBOXED, id="sandboxed", marks=pytest.mark.slow)],
)
def test_the_engine_follows_the_deadline(
    limits: EngineLimits, change: Callable[[Deadline], None], seconds: float, end: str
) -> None:
    """Whatever happens to it while the task is at work. The engine then answers, and lives."""
    with running(size=1, limits=replace(limits, grace_seconds=SOON_SECONDS)) as pool:
        before = call(pool, "pid")
        start = time.monotonic()
        assert pool.call(b"obey", change_at_work(pool, change, seconds), upper) == end.encode()
        assert time.monotonic() - start < SOON_SECONDS
        assert call(pool, "pid") == before


def test_the_engine_knows_when_levels_end() -> None:
    """From the start, and if a change brings that forward."""
    given = Deadline(60.0, conclusion=10.0)
    sent = DeadlineState.unpack(DeadlineState.of(1, given).pack()).deadline()
    assert (sent.end, sent.levels_end) == (given.end, given.levels_end)
    given.give_way(given.levels_end - 5.0)
    DeadlineState.unpack(DeadlineState.of(1, given).pack()).apply(sent)
    assert sent.end == sent.levels_end == given.end


def test_the_engine_learns_of_a_change_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only when the watcher looks again. Until then, others would wait for a request that has to give way."""
    monkeypatch.setattr(watcher, "TICK_SECONDS", 60.0)
    with running(size=1, limits=replace(TRUSTED, grace_seconds=60.0)) as pool:
        call(pool, "pid")
        start = time.monotonic()
        deadline = change_at_work(pool, lambda changed: changed.give_way(changed.now()))
        assert pool.call(b"obey", deadline, upper) == b"DeadlinePassed False"
        assert time.monotonic() - start < SOON_SECONDS


def test_a_change_does_not_wait_for_the_thread_that_works() -> None:
    """Python's default is 5 ms, in which two engines could give three callers their scores."""
    with running(size=1) as pool:
        assert float(call(pool, "switch")) <= 0.001


def test_a_change_that_overtakes_its_task_counts() -> None:
    """The cancellation has a socket of its own, and arrives before the last bytes of a long task."""
    with running(size=1, limits=replace(TRUSTED, grace_seconds=60.0)) as pool:
        pid = int(call(pool, "pid"))
        deadline, task = Deadline(60), b"obey " + bytes(20_000_000)
        with ThreadPoolExecutor(1) as callers:
            os.kill(pid, signal.SIGSTOP)
            found = callers.submit(pool.call, task, deadline, upper)
            eventually(lambda: bool(pool._watcher._watches))
            (watch,) = pool._watcher._watches
            deadline.cancel()
            eventually(lambda: watch._sent.cancelled)
            os.kill(pid, signal.SIGCONT)
            assert found.result(30) == b"Cancelled False"


def test_a_task_that_ignores_cancellation_is_ended() -> None:
    """After the grace period, long before its deadline. The caller's error says that the call was cancelled."""
    listener = Listener()
    with running(size=1, listener=listener) as pool:
        call(pool, "echo x")
        start = time.monotonic()
        with pytest.raises(Cancelled):
            pool.call(b"hang", change_at_work(pool, Deadline.cancel), upper)
        assert time.monotonic() - start < SOON_SECONDS
        assert call(pool, "echo next") == "next"
    assert listener.exits[0].reason is ExitReason.OVERRAN


def test_an_engine_is_ended_in_time_though_its_question_takes_long() -> None:
    """The watcher does not wait for the thread that answers."""
    listener = Listener()
    ended: list[float] = []

    deadline = Deadline(60)

    def answer(_question: bytes) -> bytes:
        deadline.shorten(0.0)
        listener.wait(lambda: bool(listener.exits))
        ended.append(time.monotonic())
        return b""

    with running(size=1, listener=listener) as pool:
        call(pool, "echo x")
        start = time.monotonic()
        with pytest.raises(EngineLost) as lost:
            pool.call(b"question x", deadline, answer)
    assert lost.value.exit.reason is ExitReason.OVERRAN
    assert ended[0] - start < SOON_SECONDS
