"""The same over plain HTTP: whatever an endpoint does, requests end in time with right numbers or a precise error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from endpoint_folders import (
    explained,
    failure,
    metric,
    numbers,
    reachable,
    recovered,
    request,
    serving,
    write_endpoint,
)
from fault_proxy import FaultProxy
from inference_rest import Handler, RestServer, closed, cut_off, reset, saying
from inference_server import ServedModel
from matrix import BY_NAME
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving
from sweeps import few_of

Code = grpc.StatusCode
Twist = Callable[[Handler, Callable[[], None]], None]

CASE = BY_NAME["gru"]
SCHEMA = b"""{"inputs": [{"name": "events", "role": "events", "dtype": "float32", "width": 5}],
"targets": [{"name": "score"}], "bounded": true}"""
OPTIONS: dict[str, Any] = {
    "levels": [pb.LEVEL_EVENT],
    "max_coalitions": 128,
    "target_standard_error": 0.0,
    "pruning_tolerance": 0.0,
    "estimator": pb.ESTIMATOR_REGRESSION,
}
INVALID = (Code.FAILED_PRECONDITION, "ENDPOINT_ANSWER_INVALID")
REFUSED = (Code.FAILED_PRECONDITION, "ENDPOINT_REFUSED")
AWAY = (Code.UNAVAILABLE, "ENDPOINT_UNAVAILABLE")


@pytest.fixture
def endpoint() -> Iterator[RestServer]:
    with RestServer({"gru": ServedModel(CASE.path.read_bytes())}) as running:
        yield running


@pytest.fixture
def proxy(endpoint: RestServer) -> Iterator[FaultProxy]:
    with FaultProxy(endpoint.port) as running:
        yield running


@pytest.fixture(params=[pytest.param("v1", marks=pytest.mark.slow), "v2"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, endpoint: RestServer, proxy: FaultProxy
) -> Iterator[Serving]:
    uri = f"http://127.0.0.1:{proxy.port}/{request.param}/models/gru"
    write_endpoint(tmp_path, "gru", uri, SCHEMA, version="", max_batch_rows=16, call_seconds=3.0)
    with serving(tmp_path) as running:
        reachable(running, "gru")
        yield running


def asked(seed: int = 0) -> pb.ExplainRequest:
    return request("gru", seed=seed, **OPTIONS)


def told(failed: Failure) -> tuple[Code, str]:
    return failed.code, failed.reason


def every(number: int, spoiled: Twist) -> Twist:
    """One in every few calls with rows fails."""
    lock, calls = threading.Lock(), 0

    def twist(handler: Handler, answer: Callable[[], None]) -> None:
        nonlocal calls
        with lock:
            calls += handler.command == "POST"
            chosen = handler.command == "POST" and calls % number == 0
        return spoiled(handler, answer) if chosen else answer()

    return twist


def now_and_then(number: int, spoiled: Twist) -> Twist:
    """One in every few calls fails, but none that has the rows of one that failed before: the same call could fail so
    often that it is given up.
    """
    failed: list[Any] = []

    def twist(handler: Handler, answer: Callable[[], None]) -> None:
        if handler.body in failed:
            return answer()
        failed.append(handler.body)
        return spoiled(handler, answer)

    return every(number, twist)


LOST = {"reset": reset, "closed": closed, "cut off": cut_off, "503": saying({"error": "starting"}, 503)}
# How each of the others is told apart is tested in adapters/endpoints/test_rest_failures.py.
FEW = ("reset", "503", "500", "too much to do", "no JSON", "too few rows")


@pytest.mark.parametrize("case", few_of(LOST, *FEW))
def test_what_does_not_come_through_is_tried_again(server: Serving, endpoint: RestServer, case: str) -> None:
    """Now and then: the numbers stay the same. Always: UNAVAILABLE with a time to come back."""
    wanted = explained(server, asked())
    endpoint.twist = now_and_then(6, LOST[case])
    found = explained(server, asked())
    assert numbers(found) == numbers(wanted)
    assert found.cost.endpoint_calls > found.cost.model_calls
    endpoint.twist = every(1, LOST[case])
    failed = failure(server, asked())
    assert told(failed) == AWAY
    assert failed.retry


WRONG = {
    "500": (saying(b"Traceback (most recent call last):\n ...", 500), REFUSED, "HTTP 500"),
    "404": (saying({"error": "no such model"}, 404), REFUSED, "no such model"),
    "a redirect": (saying(b"", 302, Location="http://169.254.169.254/"), REFUSED, "not followed"),
    "too much to do": (
        saying({"error": "busy"}, 429, Retry_After="7"),
        (Code.RESOURCE_EXHAUSTED, "ENDPOINT_OVERLOADED"),
        "busy",
    ),
    "no JSON": (saying(b"<html>"), INVALID, "JSON"),
    "nothing": (saying(b""), INVALID, "JSON"),
    "another form": (saying([1, 2]), INVALID, ""),
    "too few rows": (
        saying(
            {
                "predictions": [[0.5]],
                "outputs": [{"name": "score", "datatype": "FP32", "shape": [1, 1], "data": [0.5]}],
            }
        ),
        INVALID,
        "rows",
    ),
    "words": (
        saying(
            {
                "predictions": ["a", "b"],
                "outputs": [{"name": "score", "datatype": "FP32", "shape": [2], "data": ["a"]}],
            }
        ),
        INVALID,
        "",
    ),
}


@pytest.mark.parametrize("case", few_of(WRONG, *FEW))
def test_wrong_answers(server: Serving, endpoint: RestServer, case: str) -> None:
    """Never a wrong number, and the error says what did not fit."""
    twist, wanted, word = WRONG[case]
    endpoint.twist = every(5, twist)
    failed = failure(server, asked())
    assert told(failed) == wanted, failed.message
    assert word in failed.message


@pytest.mark.slow
def test_half_open_and_back(server: Serving, proxy: FaultProxy) -> None:
    """The limit of a call ends it; afterwards all is as before."""
    wanted = explained(server, asked())
    proxy.swallowing = True
    assert told(failure(server, asked())) == AWAY
    proxy.swallowing = False
    recovered(server, "gru")
    assert numbers(explained(server, asked())) == numbers(wanted)


@pytest.mark.slow
def test_killed_and_back(server: Serving, proxy: FaultProxy) -> None:
    """The breaker opens, and closes again without a restart."""
    wanted = explained(server, asked())
    proxy.refuse()
    for seed in range(1, 5):
        assert told(failure(server, asked(seed))) == AWAY
    assert metric(server, "sequela_circuit_state", target="gru/1") == 1
    proxy.listen()
    recovered(server, "gru")
    assert numbers(explained(server, asked())) == numbers(wanted)
