"""The pool's width: how many of its threads may be at work, changed while they are."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from pools import Spy, busy_for, pool_of
from sequela.concurrency.worker_pool import WorkerPool
from waiting import PATIENCE


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_width_holds_at_once(width: int) -> None:
    """Narrower: no more jobs begin than fit, those too many end what they do. Wider: waiting jobs begin."""
    spy = Spy()
    gate, begun = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        begun.release()
        gate.wait(PATIENCE)

    with pool_of(4) as pool, ThreadPoolExecutor(1) as caller:
        asked = caller.submit(pool.run, [spy.job(n, hold) for n in range(30)])
        for _ in range(4):
            assert begun.acquire(timeout=PATIENCE)
        pool.resize(width)
        late = caller.submit(pool.run, [lambda: None] * 2)
        gate.set()
        asked.result(PATIENCE)
        late.result(PATIENCE)
        assert (pool.width, pool.workers, pool.busy) == (width, 4, 0)
        after = Spy()
        pool.run([after.job(n, partial(busy_for, n)) for n in range(50)])
        assert after.most <= width
        pool.resize(4)
        barrier = threading.Barrier(4)
        pool.run([partial(barrier.wait, PATIENCE)] * 8)


def test_widening_lets_waiting_jobs_begin() -> None:
    """Without another job having to end."""
    with pool_of(3) as pool, ThreadPoolExecutor(1) as caller:
        pool.resize(1)
        barrier = threading.Barrier(3)
        asked = caller.submit(pool.run, [partial(barrier.wait, PATIENCE)] * 3)
        while not pool.busy:
            pass
        pool.resize(3)
        assert sorted(asked.result(PATIENCE)) == [0, 1, 2]


def test_threads_are_hired_when_they_are_needed() -> None:
    """None before there is work for several, and no more than run at a time."""
    name = "lazily"

    def hired() -> int:
        return sum(each.name.startswith(f"{name}-") for each in threading.enumerate())

    pool = WorkerPool(8, name=name)
    pool.resize(2)
    assert hired() == 0
    pool.run([lambda: None])
    assert hired() == 0
    pool.run([partial(busy_for, n) for n in range(50)])
    assert 1 <= hired() <= 2
    pool.close()
