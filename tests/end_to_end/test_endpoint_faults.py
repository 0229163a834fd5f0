"""An endpoint that misbehaves: every request ends by its deadline, with the right numbers or a precise error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from endpoint_folders import (
    eventually,
    explained,
    failure,
    metric,
    numbers,
    outcome,
    reachable,
    request,
    serving,
    state,
    write_endpoint,
)
from fault_proxy import FaultProxy
from inference_server import InferenceServer, ServedModel, infer_answer
from matrix import BY_NAME
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving

Code = grpc.StatusCode
Twist = Callable[[Any, Any, Callable[[], Any]], Any]

CASE = BY_NAME["gru"]
ROWS = 16
"""Of a call: so few that no call is worth cutting smaller, and the same rows always go together."""
OPTIONS: dict[str, Any] = {
    "levels": [pb.LEVEL_EVENT, pb.LEVEL_FEATURE],
    "max_coalitions": 512,
    "target_standard_error": 0.0,
    "pruning_tolerance": 0.0,
    "estimator": pb.ESTIMATOR_REGRESSION,
}
SCHEMA = json.dumps(
    {"inputs": [{"name": "events", "role": "events", "dtype": "float32", "width": 5}], "bounded": True}
).encode()
SOON = 1.5
"""Seconds of a deadline that a test waits for."""


@pytest.fixture
def endpoint() -> Iterator[InferenceServer]:
    with InferenceServer({"gru": ServedModel(CASE.path.read_bytes())}) as running:
        yield running


@pytest.fixture
def proxy(endpoint: InferenceServer) -> Iterator[FaultProxy]:
    with FaultProxy(endpoint.port) as running:
        yield running


@pytest.fixture
def root(tmp_path: Path, proxy: FaultProxy) -> Path:
    """A repository with the model behind the proxy; answers are not reused, since no version is pinned."""
    write_endpoint(
        tmp_path,
        "gru",
        f"grpc://127.0.0.1:{proxy.port}/gru",
        SCHEMA,
        version="",
        max_batch_rows=ROWS,
        call_seconds=SOON,
    )
    return tmp_path


@pytest.fixture
def server(root: Path) -> Iterator[Serving]:
    with serving(root) as running:
        reachable(running, "gru")
        yield running


def asked(seed: int = 0, **options: Any) -> pb.ExplainRequest:
    return request("gru", seed=seed, **(OPTIONS | options))


def unavailable(failed: Failure) -> None:
    """A failure that another attempt may mend."""
    assert (failed.code, failed.reason) == (Code.UNAVAILABLE, "ENDPOINT_UNAVAILABLE"), failed.message
    assert failed.retry is not None
    assert failed.retry > 0


def every(number: int, spoiled: Twist) -> Twist:
    """Every so-manieth call is spoiled, the others are answered as they should be."""
    lock, calls = threading.Lock(), 0

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        nonlocal calls
        with lock:
            calls += 1
            chosen = calls % number == 0
        return spoiled(request, context, answer) if chosen else answer()

    return twist


def saying(code: Code, words: str = "no") -> Twist:
    return lambda request, context, answer: context.abort(code, words)


@pytest.mark.parametrize("seconds", [0.001, 0.02, pytest.param(0.2, marks=pytest.mark.slow)])
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
    found = outcome(server, asked(max_coalitions=1 << 12), 0.6)
    if isinstance(found, Failure):
        assert (found.code, found.reason) == (Code.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT")
    else:
        assert found.cut_short


def test_resets_in_mid_call(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """A connection lost with all its calls costs another attempt, and no request; the numbers stay the same."""
    wanted = explained(server, asked())

    def reset(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        proxy.reset()
        return answer()

    endpoint.models["gru"].delay = 0.01
    endpoint.twists["ModelInfer"] = every(15, reset)
    found = explained(server, asked())
    assert proxy.taken >= 3
    assert numbers(found) == numbers(wanted)
    assert found.cost.endpoint_calls > found.cost.model_calls == wanted.cost.model_calls


def test_many_calls_lost_at_once(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """All calls under way go with their connection: that is one failure, no endpoint that is down."""
    model = endpoint.models["gru"]
    model.delay = 0.01
    while model.most_at_once < 8:
        explained(server, asked(seed=1))
    proxy.reset()
    eight = threading.Event()

    def reset(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        if model.at_once >= 7 and not eight.is_set():
            eight.set()
            proxy.reset()
        return answer()

    endpoint.twists["ModelInfer"] = reset
    found = explained(server, asked(max_coalitions=2048))
    assert eight.is_set()
    assert found.cost.endpoint_calls > found.cost.model_calls
    assert metric(server, "sequela_circuit_state", target="gru/1") == 0


def test_half_open(server: Serving, proxy: FaultProxy) -> None:
    """A host that takes bytes for ever and answers none: the limit of one call ends the request; what comes back is
    found again.
    """
    wanted = explained(server, asked())
    proxy.swallowing = True
    unavailable(failure(server, asked(), 20.0))
    proxy.swallowing = False
    eventually(lambda: metric(server, "sequela_circuit_state", target="gru/1") == 0)
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
    found = outcome(server, asked(), SOON / 2)
    if isinstance(found, Failure):
        assert found.code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE), found.message
    else:
        assert found.cut_short


def test_slow_drip(server: Serving, proxy: FaultProxy) -> None:
    """Bytes that come a few at a time hold a request no longer than it allows."""
    proxy.drip = 100
    found = outcome(server, asked(max_coalitions=1 << 12), 1.0)
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
    eventually(lambda: metric(server, "sequela_circuit_state", target="gru/1") == 0)
    assert numbers(explained(server, asked())) == numbers(wanted)


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


@pytest.mark.parametrize("number", [5, 100])
def test_unavailable_is_tried_again(server: Serving, endpoint: InferenceServer, number: int) -> None:
    """Some calls are not taken: the numbers are the same, and what went in vain is in the cost and the metrics."""
    wanted = explained(server, asked())
    before = metric(server, "sequela_endpoint_rows_total", endpoint="gru/1")
    endpoint.twists["ModelInfer"] = every(number, saying(Code.UNAVAILABLE))
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
REFUSALS = [
    code for code in Code if code not in (Code.OK, Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, *GIVEN_UP)
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


def answering(**changed: Any) -> Twist:
    """A right answer with something changed; `rows` more or less of them."""

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        rows = request.inputs[0].shape[0] + changed.get("rows", 0)
        values = np.full((rows, *changed.get("columns", (1,))), changed.get("value", 0.5))
        said = {"name": "gru", "version": "1", "output": "score", "datatype": "FP32"}
        said |= {key: value for key, value in changed.items() if key in said}
        return infer_answer(**said, values=values)

    return twist


def garbage(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
    found = answer()
    found.raw_output_contents[0] = b"\xde\xad\xbe\xef" * 3 + b"!"
    return found


def nameless(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
    return oip.ModelInferResponse()


INVALID = "ENDPOINT_ANSWER_INVALID"
WRONG: dict[str, tuple[Twist, str, str]] = {
    "NaN": (answering(value=np.nan), "MODEL_OUTPUT_NOT_FINITE", ""),
    "infinite": (answering(value=np.inf), "MODEL_OUTPUT_NOT_FINITE", ""),
    "too few rows": (answering(rows=-1), INVALID, "rows"),
    "too many rows": (answering(rows=3), INVALID, "rows"),
    "another output": (answering(output="other"), INVALID, "'other'"),
    "another model": (answering(name="other"), INVALID, "'other'"),
    "more columns": (answering(columns=(7,)), INVALID, "7"),
    "more axes": (answering(columns=(2, 3, 4)), INVALID, "24"),
    "garbage": (garbage, INVALID, "13 bytes"),
    "nothing": (nameless, INVALID, ""),
    "too large": (answering(columns=(1_000_000,)), INVALID, "limit"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answers(server: Serving, endpoint: InferenceServer, case: str) -> None:
    """Now and then, or always: never a wrong number, and the error says what did not fit."""
    twist, reason, word = WRONG[case]
    for number in (7, 1):
        endpoint.twists["ModelInfer"] = every(number, twist)
        failed = failure(server, asked())
        assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, reason), failed.message
        assert word in failed.message


def test_another_version_answers(root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """A pinned version is the only one whose answers count."""
    write_endpoint(root, "gru", f"grpc://127.0.0.1:{proxy.port}/gru", max_batch_rows=ROWS)
    with serving(root) as server:
        reachable(server, "gru")
        endpoint.twists["ModelInfer"] = every(3, answering(version="2"))
        failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, INVALID)
    assert "'2'" in failed.message


def test_a_model_replaced_in_mid_explanation(server: Serving, endpoint: InferenceServer) -> None:
    """Another model under the same name: the request fails, the model's state says what does not fit, and the right
    one is found again.
    """
    models: dict[str, ServedModel] = endpoint.models  # type: ignore[assignment]
    right = models["gru"]

    def replace(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        models["gru"] = ServedModel(BY_NAME["multi_input"].path.read_bytes())
        return answer()

    endpoint.twists["ModelInfer"] = every(9, replace)
    failed = failure(server, asked())
    assert failed.code == Code.FAILED_PRECONDITION
    eventually(lambda: state(server, "gru").state == pb.MODEL_STATE_FAILED)
    assert "schema.json" in state(server, "gru").state_detail
    assert "events" in state(server, "gru").state_detail
    failed = failure(server, asked())
    assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "MODEL_NOT_LOADED")
    endpoint.twists.clear()
    models["gru"] = right
    reachable(server, "gru")
    assert explained(server, asked()).explained


def test_the_off_switch(server: Serving, root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """Holds at once for new requests and for those under way; the model stays and says so; so does the way back."""
    uri = f"grpc://127.0.0.1:{proxy.port}/gru"
    endpoint.models["gru"].delay = 0.02
    failures: list[Failure] = []
    asking = threading.Thread(target=lambda: failures.append(failure(server, asked(max_coalitions=1 << 14))))
    asking.start()
    eventually(lambda: len(endpoint.models["gru"].batches) > 5)
    write_endpoint(root, "gru", uri, version="", max_batch_rows=ROWS, enabled=False)
    asking.join()
    failures.append(failure(server, asked()))
    for failed in failures:
        assert (failed.code, failed.reason) == (Code.FAILED_PRECONDITION, "ENDPOINT_OFF"), failed.message
    eventually(lambda: state(server, "gru").state_detail == "switched off")
    sent = len(endpoint.models["gru"].batches)
    failure(server, asked())
    assert len(endpoint.models["gru"].batches) == sent
    endpoint.models["gru"].delay = 0.0
    write_endpoint(root, "gru", uri, version="", max_batch_rows=ROWS)
    eventually(lambda: state(server, "gru").state_detail == "")
    assert explained(server, asked()).explained


def test_other_terms(server: Serving, root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """Hold without a restart; a mistake in the file changes nothing."""
    uri = f"grpc://127.0.0.1:{proxy.port}/gru"
    options = {key: value for key, value in OPTIONS.items() if key != "max_coalitions"}
    quality = explained(server, request("gru", **options)).event_level.quality
    assert quality.coalitions == 2048
    write_endpoint(root, "gru", uri, version="", max_coalitions=256, max_batch_rows=8)
    eventually(lambda: explained(server, request("gru", **options)).event_level.quality.coalitions == 256)
    assert max(endpoint.models["gru"].batches[-10:]) <= 8
    write_endpoint(root, "gru", uri, version="", max_coalitions="many")
    time.sleep(0.5)  # looked at several times
    assert explained(server, request("gru", **options)).event_level.quality.coalitions == 256


def test_a_cancelled_request_sends_no_more(server: Serving, endpoint: InferenceServer) -> None:
    """At most the calls that were under way."""
    model = endpoint.models["gru"]
    model.delay = 0.05
    call = server.explanations.Explain.future(asked(max_coalitions=1 << 14), timeout=60)
    eventually(lambda: len(model.batches) > 10)
    call.cancel()
    eventually(lambda: model.at_once == 0)
    sent = len(model.batches)
    time.sleep(0.5)  # ten calls' time
    assert len(model.batches) <= sent + 8
    assert model.at_once == 0


def test_two_files_of_one_endpoint(root: Path, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """One of them is enough to switch it off, for both names; other terms hold once both files say them, and until then
    what was agreed on holds.
    """
    uri = f"grpc://127.0.0.1:{proxy.port}/gru"
    options = {key: value for key, value in OPTIONS.items() if key != "max_coalitions"}

    def write(name: str, **terms: Any) -> None:
        write_endpoint(root, name, uri, SCHEMA, version="", max_batch_rows=ROWS, **terms)

    def works(server: Serving) -> set[bool]:
        found = [outcome(server, request(name, **OPTIONS)) for name in ("gru", "twin")]
        return {isinstance(each, pb.Explanation) for each in found}

    def coalitions(server: Serving) -> set[int]:
        found = [explained(server, request(name, **options)) for name in ("gru", "twin")]
        return {each.event_level.quality.coalitions for each in found}

    write("gru")
    write("twin")
    with serving(root) as server:
        reachable(server, "gru", "twin")
        for name in ("gru", "twin"):
            write(name, enabled=False)
            eventually(lambda: works(server) == {False})
            write(name)
            eventually(lambda: works(server) == {True})
        write("gru", max_coalitions=256)
        time.sleep(0.3)  # looked at several times
        assert coalitions(server) == {2048}
        eventually(lambda: "twin/1" in state(server, "gru").state_detail)
        write("twin", max_coalitions=256)
        eventually(lambda: coalitions(server) == {256})


def test_the_deadline_goes_along(server: Serving, endpoint: InferenceServer) -> None:
    """Every call tells the endpoint until when its answer is wanted: the request's deadline, or the limit of a call."""
    left: list[float] = []

    def look(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        left.append(context.time_remaining())
        return answer()

    endpoint.twists["ModelInfer"] = look
    explained(server, asked(), 1.0)
    assert 0 < max(left) <= 1.02  # gRPC rounds deadlines up
    left.clear()
    explained(server, asked(), 60.0)
    assert SOON / 2 < max(left) <= 1.02 * SOON


def test_scores(server: Serving, endpoint: InferenceServer, proxy: FaultProxy) -> None:
    """Fail as explanations do, and are retried as they are."""
    sequences = [asked(seed).sequence for seed in range(40)]
    score = pb.ScoreRequest(model=pb.ModelReference(name="models/gru"), sequences=sequences)
    wanted = server.explanations.Score(score, timeout=10)
    endpoint.twists["ModelInfer"] = every(3, saying(Code.UNAVAILABLE))
    found = server.explanations.Score(score, timeout=10)
    assert found.scores == wanted.scores
    assert found.cost.endpoint_calls > wanted.cost.endpoint_calls
    proxy.refuse()
    with pytest.raises(grpc.RpcError) as caught:
        server.explanations.Score(score, timeout=10)
    unavailable(Failure(caught.value))


def test_items_of_a_stream_fail_alone(server: Serving, endpoint: InferenceServer) -> None:
    """One answer that is none fails its own question; those around it are answered."""
    marked = asked(seed=3).sequence.inputs[0].tensor.raw

    def spoil(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        right = answer()
        if marked in request.raw_input_contents[0]:
            right.outputs[0].name = "other"
        return right

    endpoint.twists["ModelInfer"] = spoil
    stream = (pb.ExplainStreamRequest(request=asked(seed)) for seed in range(6))
    answers = list(server.explanations.ExplainStream(stream, timeout=60))
    assert [answer.index for answer in answers if answer.HasField("error")] == [3]
    error = answers[3].error
    assert (error.code, error.reason) == (Code.FAILED_PRECONDITION.value[0], INVALID)
    assert "'other'" in error.message


def test_a_sequence_that_the_model_fails_on(server: Serving, endpoint: InferenceServer) -> None:
    """Its question is refused in the model's own words, cut to a line without control characters."""
    endpoint.twists["ModelInfer"] = saying(
        Code.INTERNAL, 'Traceback:\n  File "/srv/model.py", line 3\n\x1b[31mValueError: ' + "x" * 5000
    )
    failed = failure(server, asked())
    assert failed.reason == "ENDPOINT_REFUSED"
    assert failed.message.isprintable()
    assert len(failed.message) < 400
