"""An endpoint that misbehaves: every request ends by its deadline, with the right numbers or a precise error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from endpoint_faults import SOON, Code, asked, every, now_and_then, saying, unavailable
from endpoint_folders import (
    explained,
    failure,
    metric,
    numbers,
    outcome,
    reachable,
    recovered,
    serving,
    state,
)
from fault_proxy import FaultProxy
from inference_server import InferenceServer
from sequela.adapters.endpoints.limiter import MAX_FAILURES
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving
from waiting import eventually


@pytest.mark.parametrize(
    "seconds", [pytest.param(0.001, marks=pytest.mark.slow), 0.02, pytest.param(0.2, marks=pytest.mark.slow)]
)
def test_latency(server: Serving, proxy: FaultProxy, seconds: float) -> None:
    """Answers come later, and are the same."""
    wanted = explained(server, asked())
    proxy.latency = seconds / 2
    found = explained(server, asked())
    assert numbers(found) == numbers(wanted)
    assert not found.cut_short


@pytest.mark.parametrize("seconds", [0.02, 0.2])
def test_latency_that_leaves_too_little_time(server: Serving, proxy: FaultProxy, seconds: float) -> None:
    """What was found by the deadline is answered, and said to be cut short; else the deadline is named."""
    proxy.latency = seconds / 2
    for limit in (0.3, 0.6, 1.2, 2.4):
        found = outcome(server, asked(max_coalitions=1 << 12), limit)
        # On a busy machine, gRPC may end the call in this process before the server's answer is here.
        if not isinstance(found, Failure) or found.reason:
            break
    if isinstance(found, Failure):
        assert (found.code, found.reason) == (Code.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT")
    else:
        assert found.cut_short


def test_resets_in_mid_call(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """A connection lost with all its calls costs another attempt, and no request; the numbers stay the same."""
    explained(server, asked())  # the first one also tries rows alone
    wanted = explained(server, asked())

    resets = 0

    def reset(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        nonlocal resets
        resets += 1
        if resets <= 2:  # no call is lost as often as it may be sent
            proxy.reset()
        return answer()

    endpoint.models["gru"].delay = 0.01
    endpoint.twists["ModelInfer"] = every(15, reset)
    found = explained(server, asked())
    assert proxy.taken >= 3
    assert numbers(found) == numbers(wanted)
    assert found.cost.endpoint_calls > found.cost.model_calls == wanted.cost.model_calls


@pytest.mark.slow
def test_many_calls_lost_at_once(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """All calls under way go with their connection: that is one failure, no endpoint that is down."""
    model = endpoint.models["gru"]
    model.delay = (
        0.05  # beside which it does not count how busy the machine is, so that many calls are let go
    )
    many = threading.Event()

    def reset(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        if model.at_once >= MAX_FAILURES and not many.is_set():  # this one comes on top
            many.set()
            proxy.reset()
        return answer()

    endpoint.twists["ModelInfer"] = reset
    found = explained(server, asked())
    while not many.is_set():
        found = explained(server, asked())
    assert found.cost.endpoint_calls > found.cost.model_calls
    assert metric(server, "sequela_circuit_state", target="gru/1") == 0


@pytest.mark.slow
def test_half_open(server: Serving, proxy: FaultProxy) -> None:
    """A host that takes bytes for ever and answers none: the limit of one call ends the request; what comes back is
    found again.
    """
    wanted = explained(server, asked())
    proxy.swallowing = True
    unavailable(failure(server, asked()))
    proxy.swallowing = False
    recovered(server, "gru")
    assert numbers(explained(server, asked())) == numbers(wanted)


def test_half_open_in_mid_explanation(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """The deadline of the request ends it where that is sooner; what was found by then is answered."""
    calls = 0

    def stop(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += 1
        proxy.swallowing = calls > 20
        return answer()

    endpoint.twists["ModelInfer"] = stop
    found = outcome(server, asked(), SOON / 5)
    if isinstance(found, Failure):
        assert found.code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE), found.message
    else:
        assert found.cut_short


def test_slow_drip(server: Serving, proxy: FaultProxy) -> None:
    """Bytes that come a few at a time hold a request no longer than it allows."""
    proxy.drip = 100
    found = outcome(server, asked(max_coalitions=1 << 12), 0.5)
    if isinstance(found, Failure):
        assert found.code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE), found.message
    else:
        assert found.cut_short


def test_an_endpoint_that_starts_late(root: Path, proxy: FaultProxy) -> None:
    """The server is ready without it; the model is loading and says why; requests hear when to come back; later it is
    found.
    """
    proxy.refuse()
    with serving(root) as server:
        eventually(lambda: bool(state(server, "gru").state_detail))
        found = state(server, "gru")
        assert found.state == pb.MODEL_STATE_LOADING
        assert str(proxy.port) in found.state_detail
        unavailable(failure(server, asked()))
        proxy.listen()
        reachable(server, "gru")
        assert explained(server, asked()).explained


def test_killed_in_mid_explanation_and_back(
    server: Serving, endpoint: InferenceServer, proxy: FaultProxy
) -> None:
    """The breaker opens, requests fail without an attempt, and without a restart it closes again."""
    wanted = explained(server, asked())

    def kill(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        threading.Thread(target=proxy.refuse).start()
        return answer()

    endpoint.twists["ModelInfer"] = every(20, kill)
    unavailable(failure(server, asked()))
    del endpoint.twists["ModelInfer"]
    for seed in range(1, 4):  # until enough calls in a row have failed
        unavailable(failure(server, asked(seed)))
    assert metric(server, "sequela_circuit_state", target="gru/1") == 1
    called = metric(server, "sequela_endpoint_calls_total", endpoint="gru/1")
    refused = failure(server, asked(4))
    unavailable(refused)
    assert "down" in refused.message
    assert metric(server, "sequela_endpoint_calls_total", endpoint="gru/1") == called
    proxy.listen()
    recovered(server, "gru")
    assert numbers(explained(server, asked())) == numbers(wanted)


@pytest.mark.slow
def test_a_connection_that_froze(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """One dead connection, of which nobody says that it is: a new one takes its place after a failed call."""
    wanted = explained(server, asked())
    proxy.freeze()
    unavailable(failure(server, asked()))

    def found() -> bool:
        answer = outcome(server, asked())
        return isinstance(answer, pb.Explanation) and numbers(answer) == numbers(wanted)

    eventually(found)
    eventually(lambda: proxy.connections == 1)


@pytest.mark.parametrize("number", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_unavailable_is_tried_again(server: Serving, endpoint: InferenceServer, number: int) -> None:
    """Some calls are not taken: the numbers are the same, and what went in vain is in the cost and the metrics."""
    wanted = explained(server, asked())
    before = metric(server, "sequela_endpoint_rows_total", endpoint="gru/1")
    endpoint.twists["ModelInfer"] = now_and_then(number, saying(Code.UNAVAILABLE))
    found = explained(server, asked(max_coalitions=2048 if number == 100 else 512))
    vain = metric(server, "sequela_endpoint_calls_total", endpoint="gru/1", outcome="ENDPOINT_UNAVAILABLE")
    assert vain > 0
    assert found.cost.endpoint_calls == found.cost.model_calls + vain
    assert found.cost.model_rows < found.cost.endpoint_rows
    rows = metric(server, "sequela_endpoint_rows_total", endpoint="gru/1") - before
    assert rows == found.cost.endpoint_rows
    if number == 5:
        assert numbers(found) == numbers(wanted)


def test_attempts_are_bounded(server: Serving, endpoint: InferenceServer) -> None:
    """Three, as set; the first call is that of f(X) and f(B), and it is the only one."""
    endpoint.twists["ModelInfer"] = saying(Code.UNAVAILABLE, "still loading")
    failed = failure(server, asked())
    unavailable(failed)
    assert "still loading" in failed.message
    assert sum(call.method == "ModelInfer" for call in endpoint.calls) == 3


GIVEN_UP = (Code.CANCELLED, Code.DEADLINE_EXCEEDED)
ROWS_TO_TRY = (Code.INTERNAL, Code.NOT_FOUND, Code.UNAUTHENTICATED)
NO_REFUSALS = (Code.OK, Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, *GIVEN_UP)
REFUSALS = [
    *ROWS_TO_TRY,
    *(
        pytest.param(code, marks=pytest.mark.slow)
        for code in Code
        if code not in (*ROWS_TO_TRY, *NO_REFUSALS)
    ),
]


@pytest.mark.parametrize("code", REFUSALS, ids=lambda code: code.name)
def test_other_errors_are_not_tried_again(server: Serving, endpoint: InferenceServer, code: Code) -> None:
    """Once, and the caller hears the endpoint's own words under the endpoint's name."""
    endpoint.twists["ModelInfer"] = saying(code, "the model crashed")
    failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_REFUSED")
    assert all(word in failed.message for word in (code.name, "the model crashed", "grpc://"))
    assert sum(call.method == "ModelInfer" for call in endpoint.calls) == 1


@pytest.mark.parametrize("code", GIVEN_UP, ids=lambda code: code.name)
def test_calls_that_the_endpoint_gave_up_are_not_sent_again(
    server: Serving, endpoint: InferenceServer, code: Code
) -> None:
    """The work may have been done: once, and the caller is told when to come back."""
    endpoint.twists["ModelInfer"] = saying(code, "given up")
    failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.UNAVAILABLE, "ENDPOINT_UNAVAILABLE")
    assert failed.retry is not None
    assert sum(call.method == "ModelInfer" for call in endpoint.calls) == 1


def test_an_endpoint_with_too_much_to_do(server: Serving, endpoint: InferenceServer) -> None:
    """RESOURCE_EXHAUSTED is passed on with a time to come back, and not tried again."""
    endpoint.twists["ModelInfer"] = saying(Code.RESOURCE_EXHAUSTED, "queue full")
    failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.RESOURCE_EXHAUSTED, "ENDPOINT_OVERLOADED")
    assert failed.retry is not None
    assert sum(call.method == "ModelInfer" for call in endpoint.calls) == 1


def test_scores(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """Fail as explanations do, and are retried as they are."""
    sequences = [asked(seed).sequence for seed in range(40)]
    score = pb.ScoreRequest(model=pb.ModelReference(name="models/gru"), sequences=sequences)
    wanted = server.explanations.Score(score, timeout=60)
    endpoint.twists["ModelInfer"] = now_and_then(3, saying(Code.UNAVAILABLE))
    found = server.explanations.Score(score, timeout=60)
    assert found.scores == wanted.scores
    assert found.cost.endpoint_calls > wanted.cost.endpoint_calls
    proxy.refuse()
    with pytest.raises(grpc.RpcError) as caught:
        server.explanations.Score(score, timeout=60)
    unavailable(Failure(caught.value))
