"""The worker pool: order, bounds, turns, and what is left when jobs fail. Counted, never timed."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from pools import Spy, busy_for, pool_of
from sequela.concurrency.cpu import pin_to
from sequela.concurrency.worker_pool import WorkerPool
from sequela.errors import Unavailable
from waiting import PATIENCE

WORKERS = (1, 2, 3)
WORD = contextvars.ContextVar("WORD", default="none")


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 200])
def test_results_come_in_order(workers: int, count: int) -> None:
    """Whatever runs where and ends when, results stand in the order of their jobs."""

    def job(number: int) -> int:
        busy_for(number)
        return number

    with pool_of(workers) as pool:
        assert pool.run(partial(job, number) for number in range(count)) == list(range(count))


@pytest.mark.parametrize("workers", WORKERS)
def test_no_more_run_than_workers(workers: int) -> None:
    """Eight requests at once: never more jobs at a time than workers, and every result is the right one."""
    spy = Spy()
    with pool_of(workers) as pool, ThreadPoolExecutor(8) as callers:

        def ask(caller: int) -> list[object]:
            return pool.run(spy.job((caller, n), partial(busy_for, n)) for n in range(40))

        for caller, results in enumerate(callers.map(ask, range(8))):
            assert results == [(caller, n) for n in range(40)]
        assert pool.busy == pool.waiting == 0
    assert spy.most <= workers


@pytest.mark.parametrize("workers", WORKERS)
def test_all_workers_help_one_request(workers: int) -> None:
    """Jobs that wait for each other end, so as many as there are workers do run at a time."""
    barrier = threading.Barrier(workers)
    with pool_of(workers) as pool:
        pool.run([partial(barrier.wait, PATIENCE)] * (2 * workers))


def test_a_single_job_changes_no_thread() -> None:
    """Alone, a request's first job runs in the caller's own thread."""
    with pool_of(2) as pool:
        assert pool.run([threading.get_ident]) == [threading.get_ident()]


def test_a_single_job_returns_its_result_or_raises() -> None:
    """`run_one` runs it in the caller's thread too, and gives the worker back in both cases."""
    with pool_of(1) as pool:
        assert pool.run_one(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            pool.run_one(lambda: 1 // 0)
        assert pool.busy == 0


@pytest.mark.parametrize("workers", WORKERS)
def test_jobs_that_a_job_runs_take_its_place(workers: int) -> None:
    """They run in order in the thread of that job, so that a pool of one worker does not wait for itself."""

    def outer(number: int) -> bool:
        here = threading.get_ident()
        inner = pool.run([threading.get_ident] * 3)
        return inner == [here] * 3 and pool.run_one(threading.get_ident) == here

    with pool_of(workers) as pool:
        assert all(pool.run([partial(outer, number) for number in range(5)]))
        assert pool.run_one(partial(outer, 0))


@pytest.mark.parametrize("workers", WORKERS)
def test_small_requests_take_their_turn(workers: int) -> None:
    """A small request that comes while a large one has all places and more jobs waiting gets the second place that
    becomes free: the large one's next job goes first, and those after it hold their places until the small one ended.
    """
    spy, all_busy = Spy(), threading.Barrier(workers + 1)
    small_came, small_ended = threading.Event(), threading.Event()

    def hold() -> None:
        all_busy.wait(PATIENCE)
        assert small_came.wait(PATIENCE)

    def stay() -> None:
        assert small_ended.wait(PATIENCE)

    large_jobs = [spy.job("held", hold)] * workers + [spy.job("next")] + [spy.job("later", stay)] * 300
    with pool_of(workers) as pool, ThreadPoolExecutor(2) as callers:
        large = callers.submit(pool.run, large_jobs)
        all_busy.wait(PATIENCE)
        waiting = pool.waiting
        small = callers.submit(pool.run, [lambda: spy.begun.count("later")])
        while pool.waiting == waiting:
            threading.Event().wait(0.001)
        small_came.set()
        later = small.result(PATIENCE)
        small_ended.set()
        large.result(PATIENCE)
    assert later[0] < workers


@pytest.mark.parametrize("workers", WORKERS)
def test_jobs_are_taken_as_they_are_needed(workers: int) -> None:
    """At most 2 × workers jobs of a request have been taken from its iterator and have not ended."""
    ended, most, lock = 0, 0, threading.Lock()

    def job(number: int) -> None:
        nonlocal ended
        busy_for(number)
        with lock:
            ended += 1

    def jobs() -> Iterator[Callable[[], None]]:
        nonlocal most
        for number in range(100):
            most = max(most, number + 1 - ended)
            yield partial(job, number)

    with pool_of(workers) as pool:
        pool.run(jobs())
    assert ended == 100
    assert most <= 2 * workers


class Broken(Exception):
    """What a job raises here."""


def fail(what: object) -> None:
    raise Broken(what)


@pytest.mark.parametrize("workers", WORKERS)
def test_the_first_failure_in_order_is_raised(workers: int) -> None:
    """As if run one after the other: the earliest failing job's error, no job begun much later, none left running."""
    for seed in range(20):
        spy = Spy()
        works = [partial(busy_for, seed + n) for n in range(5)]
        works += [partial(fail, n) if n % 2 else partial(busy_for, n) for n in range(5, 200)]
        with pool_of(workers) as pool:
            with pytest.raises(Broken, match=r"^5$"):
                pool.run(spy.job(n, work) for n, work in enumerate(works))
            assert spy.running == pool.busy == pool.waiting == 0
            assert set(range(6)) <= set(spy.begun) <= set(range(5 + 2 * workers))
            assert pool.run([lambda: "goes on"]) == ["goes on"]


@pytest.mark.parametrize("workers", WORKERS)
def test_a_failing_iterator_ends_the_run(workers: int) -> None:
    """What the jobs' iterator raises is raised once the jobs before it have ended, unless one of those fails."""
    spy = Spy()

    def jobs(before: Callable[[], None]) -> Iterator[Callable[[], object]]:
        for number in range(10):
            yield spy.job(number, partial(busy_for, number))
        yield spy.job(10, before)
        raise Broken("no more jobs")

    with pool_of(workers) as pool:
        with pytest.raises(Broken, match="no more jobs"):
            pool.run(jobs(lambda: None))
        assert sorted(spy.begun) == list(range(11))  # type: ignore[type-var]
        with pytest.raises(Broken, match="the tenth"):
            pool.run(jobs(partial(fail, "the tenth")))
        assert spy.running == pool.busy == pool.waiting == 0


def test_failures_leave_nothing_behind() -> None:
    """Once the error is gone, so is what the jobs held, without waiting for the garbage collector."""

    def ask(pool: WorkerPool) -> weakref.ref[Spy]:
        held = Spy()
        with pytest.raises(Broken):
            pool.run([held.job(1), partial(fail, 2), held.job(3)])
        return weakref.ref(held)

    gc.disable()
    try:
        with pool_of(1) as pool:
            assert ask(pool)() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("workers", WORKERS)
def test_jobs_run_in_the_callers_context(workers: int) -> None:
    """Every job sees the caller's context variables, in whatever thread it runs."""
    barrier = threading.Barrier(workers)

    def word() -> str:
        barrier.wait(PATIENCE)
        return WORD.get()

    with pool_of(workers) as pool:
        token = WORD.set("mine")
        try:
            assert pool.run([word] * workers) == ["mine"] * workers
        finally:
            WORD.reset(token)


def test_closing_ends_what_waits() -> None:
    """Jobs that run come to their end; those that wait, and later ones, raise DRAINING; the threads leave."""
    before = set(threading.enumerate())
    pool = WorkerPool(2)
    both_busy, let_go, ended = threading.Barrier(3), threading.Event(), []

    def hold() -> None:
        both_busy.wait(PATIENCE)
        let_go.wait(PATIENCE)
        ended.append(1)

    with ThreadPoolExecutor(1) as caller:
        asked = caller.submit(pool.run, [hold] * 100)
        both_busy.wait(PATIENCE)
        helpers = {each for each in set(threading.enumerate()) - before if each.name.startswith("pool-")}
        assert {helper.name for helper in helpers} == {"pool-0", "pool-1"}
        pool.close()
        let_go.set()
        with pytest.raises(Unavailable) as caught:
            asked.result(PATIENCE)
    assert caught.value.reason == "DRAINING"
    assert len(ended) == 2
    with pytest.raises(Unavailable):
        pool.run([lambda: None])
    for helper in helpers:
        helper.join(PATIENCE)
        assert not helper.is_alive()


def test_a_job_aside_runs_beside_the_context_and_has_ended_with_it() -> None:
    """Another thread takes it while the caller goes on."""
    pool = WorkerPool(2)
    begun, done = threading.Event(), []
    with pool.aside(lambda: (begun.set(), done.append(threading.current_thread()))[0]):
        assert begun.wait(PATIENCE)
        assert pool.run([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]
    assert done != [threading.current_thread()]
    pool.close()


def test_what_a_job_aside_raises_reaches_the_caller() -> None:
    """At the end of the context; the pool goes on."""
    pool = WorkerPool(1)

    def fail() -> None:
        raise ValueError("aside")

    with pytest.raises(ValueError, match="aside"), pool.aside(fail):
        pass
    assert pool.run([lambda: 5]) == [5]
    pool.close()


def test_a_failing_context_drops_a_job_aside_that_has_not_begun() -> None:
    """What it raises is raised, and the pool goes on; a job that has begun is waited for."""
    ran: list[str] = []
    hold, held = threading.Event(), threading.Event()

    def stay() -> None:
        held.set()
        assert hold.wait(PATIENCE)
        ran.append("begun")

    def inside(pool: WorkerPool, caller: ThreadPoolExecutor) -> None:
        with pool.aside(stay):
            assert held.wait(PATIENCE)
            busy.append(caller.submit(pool.run, [lambda: ran.append("other")] * 2))
            with contextlib.suppress(Broken), pool.aside(lambda: ran.append("dropped")):
                raise Broken("inner")
            hold.set()
            raise Broken("outer")

    busy: list[Future[list[None]]] = []
    with pool_of(1) as pool, ThreadPoolExecutor(1) as caller:
        with pytest.raises(Broken, match="outer"):
            inside(pool, caller)
        busy[0].result(PATIENCE)
        assert pool.run([lambda: "goes on"]) == ["goes on"]
        assert pool.busy == pool.waiting == 0
    assert ran == ["begun", "other", "other"]


def test_who_waits_may_leave() -> None:
    """What looking raises ends the wait: jobs not begun are dropped, one that runs is left to itself."""
    gate, begun = threading.Event(), threading.Event()
    ran: list[str] = []

    def hold() -> None:
        begun.set()
        gate.wait(PATIENCE)
        ran.append("held")

    def look() -> None:
        if begun.is_set():
            raise Broken("gone")

    with pool_of(1) as pool:
        with pytest.raises(Broken, match="gone"):
            pool.run([hold, lambda: ran.append("dropped"), lambda: ran.append("dropped")], look)
        assert ran == []
        gate.set()
        assert pool.run([lambda: "goes", lambda: "on"]) == ["goes", "on"]
    assert ran == ["held"]


def test_looking_does_not_end_what_goes_well() -> None:
    with pool_of(2) as pool:
        assert pool.run([partial(busy_for, n) for n in range(20)], lambda: None) == [None] * 20


def test_a_core_that_is_not_there_leaves_the_worker_where_it_is() -> None:
    """Sandboxes forbid binding threads, and cores are taken away: jobs are done all the same."""
    pool = WorkerPool(2, pin_to((10**6, -1)))
    assert pool.run([threading.get_ident] * 5)
    pool.close()
