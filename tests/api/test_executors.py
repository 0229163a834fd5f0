"""Who is let in, who waits, who is refused; and that work ends with its caller."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import grpc
import pytest
from api.made import Gate
from api.rpc_calls import explain_request
from api.test_bad_input import assert_serving
from sequela.api.executors import Executor
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled, Unavailable
from sequela.explain.ports import Observers
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import PATIENCE, eventually


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def narrow(gate: Gate) -> Iterator[Serving]:
    """One worker, one place to wait."""
    settings = embedded(upload_engines=1, queue_size=1)
    with Serving(settings, explainer=gate) as server:
        yield server
        gate.open.set()


def depth(server: Serving, name: str, executor: str = "uploads") -> float | None:
    return server.wired.metrics.registry.get_sample_value(name, {"executor": executor})


def ask(server: Serving, timeout: float = PATIENCE) -> Any:
    return server.explanations.Explain.future(explain_request(), timeout=timeout)


def test_a_full_queue_sheds_and_recovers(narrow: Serving, gate: Gate) -> None:
    """One runs, one waits, the third hears RESOURCE_EXHAUSTED and when to come again; then all goes on."""
    running = ask(narrow)
    assert gate.begun.acquire(timeout=PATIENCE)
    waiting = ask(narrow)
    eventually(lambda: depth(narrow, "sequela_queue_depth") == 1)
    with pytest.raises(grpc.RpcError) as caught:
        narrow.explanations.Explain(explain_request())
    failed = Failure(caught.value)
    assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert failed.retry is not None
    assert failed.retry > 0
    assert_serving(narrow)  # probes are never shed
    narrow.models.ListModels(pb.ListModelsRequest())  # nor do look-ups wait for explanations
    gate.open.set()
    assert running.result().explanation.name == waiting.result().explanation.name
    narrow.explanations.Explain(explain_request())
    rejected = {"where": "uploads", "reason": "QUEUE_FULL"}
    registry = narrow.wired.metrics.registry
    assert registry.get_sample_value("sequela_requests_rejected_total", rejected) == 1
    eventually(lambda: depth(narrow, "sequela_inflight") == 0)


def test_waiting_ends_with_the_deadline(narrow: Serving, gate: Gate) -> None:
    """Who still waits when the deadline passes hears DEADLINE_EXCEEDED and never begins."""
    running = ask(narrow)
    assert gate.begun.acquire(timeout=PATIENCE)
    with pytest.raises(grpc.RpcError) as caught:
        narrow.explanations.Explain(explain_request(), timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: depth(narrow, "sequela_queue_depth") == 0)
    gate.open.set()
    running.result()
    assert not gate.begun.acquire(blocking=False)


def test_a_caller_who_hangs_up_ends_the_work(narrow: Serving, gate: Gate) -> None:
    """The work stops between two batches, its seat is free, and the next caller is answered."""
    call = ask(narrow)
    assert gate.begun.acquire(timeout=PATIENCE)
    call.cancel()
    eventually(lambda: bool(gate.stopped))
    assert isinstance(gate.stopped[0], Cancelled)
    eventually(lambda: depth(narrow, "sequela_inflight") == 0)
    gate.open.set()
    assert narrow.explanations.Explain(explain_request()).explanation.name


def test_a_stream_hung_up_ends_all_its_items(gate: Gate) -> None:
    """Every item at work stops, not only the first."""
    with Serving(embedded(upload_engines=2), explainer=gate) as server:
        item = pb.ExplainStreamRequest(request=explain_request())
        call: Any = server.explanations.ExplainStream(iter([item, item]))
        for _ in range(2):
            assert gate.begun.acquire(timeout=PATIENCE)
        call.cancel()
        eventually(lambda: len(gate.stopped) == 2)
        assert all(isinstance(error, Cancelled) for error in gate.stopped)


def test_the_deadline_reaches_the_work(gate: Gate) -> None:
    """The explainer's clock ends before the caller's deadline, and at the default where there is none."""
    seen = []
    gate._act = lambda _, deadline: seen.append(deadline.remaining)
    with Serving(embedded(default_timeout=7.0), explainer=gate) as server:
        server.explanations.Explain(explain_request(), timeout=50.0)
        server.explanations.Explain(explain_request())
    assert 7.0 < seen[0] < 50.0
    assert 0.0 < seen[1] < 7.0


def test_those_who_conclude_at_once_do_so_one_after_another() -> None:
    """Each who comes keeps back time for those who were there: of equal deadlines the later one ends earlier."""

    async def ends() -> list[float]:
        executor, go = Executor("remote", 4, 0, Observers(()), conclusion_seconds=0.5), threading.Event()
        clocks = [Deadline(100.0) for _ in range(4)]
        given = [deadline.end for deadline in clocks]
        working = [asyncio.create_task(executor.run(go.wait, deadline)) for deadline in clocks]
        await asyncio.sleep(0.05)
        go.set()
        await asyncio.gather(*working)
        executor.shut_down()
        return [before - deadline.end for before, deadline in zip(given, clocks, strict=True)]

    assert asyncio.run(ends()) == pytest.approx([0.0, 0.5, 1.0, 1.5])


def test_work_that_outlives_its_caller_fails_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """As loading a model does when the server stops: asyncio reports no error that nobody retrieved."""
    begun, go, over = threading.Event(), threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        go.wait(30)
        over.set()
        raise Cancelled("CANCELLED", "the server stops")

    async def hang_up() -> None:
        executor = Executor("explain", 1, 1, Observers([]))
        caller = asyncio.create_task(executor.run(fail, Deadline()))
        await asyncio.to_thread(begun.wait, 30)
        caller.cancel()
        await asyncio.wait([caller])
        go.set()
        executor._pool.shutdown()  # waits for the thread, while the loop stands still

    loop = asyncio.new_event_loop()
    loop.run_until_complete(hang_up())
    loop.close()
    gc.collect()
    assert over.is_set()
    assert "never retrieved" not in caplog.text


class Used:
    """What a request refers to, such as the record of a model."""


def test_work_that_failed_refers_to_nothing(no_collection: None) -> None:
    """Without Python's search for cycles, so that a model that was removed can be let go as soon as it is not used."""
    executor = Executor("test", 1, 1, Observers([]))
    used = Used()
    found = weakref.ref(used)

    def work(_: Used) -> None:
        raise Unavailable("TEST", "fails")

    async def ask(asked: Callable[[], None]) -> None:
        with suppress(Unavailable):
            await executor.run(asked, Deadline(PATIENCE))

    asyncio.run(ask(partial(work, used)))
    del used
    executor.shut_down()
    eventually(lambda: found() is None)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Python does not look for cycles."""
    gc.disable()
    yield
    gc.enable()
