"""A drain that calls outlast: they conclude with what they have, or hear why not and when to come again."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from api.made import Gate, Scripted
from api.rpc_calls import explain_request, sequence, upload
from asking import FixedModels, Watched, loaded
from matrix import BY_NAME
from sequela.concurrency.deadline import Deadline
from sequela.errors import Cancelled
from sequela.explain.request import ModelChoice
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import PATIENCE, eventually


class Endless(FixedModels):
    """One model, always there, whose batches are so slow that what is asked for takes far longer than a drain."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Semaphore(0), threading.Event()
        super().__init__(Watched(loaded(BY_NAME["gru"]), self._batch))  # type: ignore[arg-type]

    def configured(self, _: ModelChoice) -> None:
        return None

    def _batch(self, number: int) -> None:
        self.over.wait(0.02)
        if number > 5:
            self.begun.release()


class Stuck(Scripted):
    """An explainer in one long call of a model, where nobody looks at the clock."""

    def __init__(self) -> None:
        super().__init__(self._hold)
        self.deadline, self.over = Deadline(), threading.Event()

    def _hold(self, _: Any, deadline: Deadline) -> None:
        self.deadline = deadline
        self.over.wait(PATIENCE)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    held = Stuck()
    yield held
    held.over.set()


def failure(call: Any) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        call.result(PATIENCE)
    return Failure(caught.value)


def assert_draining(failed: Failure) -> None:
    """Never gRPC's own words."""
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING"), failed.message
    assert failed.retry
    assert "x-request-id" in failed.metadata


def test_an_explanation_at_work_concludes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before its deadline it answers with what it has, additive, and says that it was cut short."""
    # Its work ends soon, and a busy machine has the rest of the grace to send the answer.
    monkeypatch.setattr("sequela.api.server.WORK_SHARE", 0.05)
    models = Endless()
    options = pb.ExplainOptions(
        pruning_tolerance=0, target_standard_error=0, max_coalitions=1 << 16, levels=[pb.LEVEL_EVENT]
    )
    asked = explain_request(
        model=pb.ModelReference(name=loaded(BY_NAME["gru"]).info.name),
        sequence=sequence(events=60),
        options=options,
    )
    with Serving(embedded(drain_grace=6.0), models=models) as server:
        call = server.explanations.Explain.future(asked, timeout=1000 * PATIENCE)
        assert models.begun.acquire(timeout=PATIENCE)
        server.drain()
        answer = call.result(PATIENCE).explanation
        models.over.set()
    assert answer.cut_short
    quality = answer.event_level.quality
    assert quality.stop_reason == pb.STOP_REASON_DEADLINE
    assert 0 < quality.coalitions < 1 << 16
    assert quality.additivity_residual < 1e-9


def test_who_has_nothing_yet_hears_of_the_drain() -> None:
    """Not DEADLINE_EXCEEDED: the caller's deadline is far away, and another server may answer."""
    gate = Gate()
    with Serving(embedded(drain_grace=0.1), explainer=gate) as server:
        call = server.explanations.Explain.future(explain_request())
        assert gate.begun.acquire(timeout=PATIENCE)
        server.drain()
        assert_draining(failure(call))


def test_who_waits_hears_of_the_drain_at_once() -> None:
    """The queue is sent away as soon as new work is refused; what runs goes on and is answered."""
    gate = Gate()
    settings = embedded(drain_grace=PATIENCE, upload_engines=1)
    with Serving(settings, explainer=gate) as server:
        registry = server.wired.metrics.registry
        running = server.explanations.Explain.future(explain_request())
        assert gate.begun.acquire(timeout=PATIENCE)
        waiting = [server.explanations.Explain.future(explain_request()) for _ in range(3)]
        executor = {"executor": "uploads"}
        eventually(lambda: registry.get_sample_value("sequela_queue_depth", executor) == 3)
        draining = threading.Thread(target=server.drain)
        draining.start()
        for call in waiting:
            assert_draining(failure(call))
        assert not running.done()
        assert registry.get_sample_value("sequela_queue_depth", executor) == 0
        rejected = {"where": executor["executor"], "reason": "DRAINING"}
        assert registry.get_sample_value("sequela_requests_rejected_total", rejected) == 3
        gate.open.set()
        assert running.result(PATIENCE).explanation.name
        draining.join(PATIENCE)
        assert not draining.is_alive()


def test_work_that_does_not_conclude_is_let_go(stuck: Stuck) -> None:
    """A model call longer than the grace: its caller hears of the drain, its clock is cancelled."""
    with Serving(embedded(drain_grace=0.1), explainer=stuck) as server:
        call = server.explanations.Explain.future(explain_request())
        assert stuck.begun.acquire(timeout=PATIENCE)
        server.drain()
        assert_draining(failure(call))
        with pytest.raises(Cancelled):
            stuck.deadline.check()


def test_streams_still_open_hear_of_the_drain(stuck: Stuck) -> None:
    """One that waits for its caller's next question, one that waits for an answer, and an upload cut off."""
    ending: queue.Queue[Any] = queue.Queue()
    with Serving(embedded(drain_grace=0.1), explainer=stuck) as server:
        idle = server.explanations.ExplainStream(iter(ending.get, None))
        item = pb.ExplainStreamRequest(request=explain_request())
        busy = server.explanations.ExplainStream(iter([item]))
        half = iter([upload("half")[0]])
        uploading = server.models.RegisterModel.future(_and_then_nothing(half, ending))
        assert stuck.begun.acquire(timeout=PATIENCE)
        started = {"grpc_service": "sequela.v1.ModelService", "grpc_method": "RegisterModel"}
        registry = server.wired.metrics.registry
        eventually(
            lambda: (
                registry.get_sample_value(
                    "grpc_server_msg_received_total", {"grpc_type": "client_stream", **started}
                )
                == 1
            )
        )
        server.drain()
        for stream in (idle, busy):
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            assert_draining(Failure(caught.value))
        assert_draining(failure(uploading))
        for _ in range(2):
            ending.put(None)


def _and_then_nothing(messages: Iterator[Any], ending: queue.Queue[Any]) -> Iterator[Any]:
    yield from messages
    yield from iter(ending.get, None)
