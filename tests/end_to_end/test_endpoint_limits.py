"""What holds for an endpoint holds for all requests to it together, and nobody waits for another's endpoint."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from counting_model import CountingModel
from endpoint_folders import (
    explained,
    metric,
    numbers,
    outcome,
    reachable,
    request,
    schema_of,
    serving,
    state,
    write_endpoint,
    write_local,
)
from inference_server import InferenceServer, ServedModel
from matrix import BY_NAME
from sequela.explain.row_independence import ROWS_TO_TRY
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure
from waiting import PATIENCE, eventually

CASE = BY_NAME["gru"]
ONNX = CASE.path.read_bytes()
OPTIONS: dict[str, Any] = {
    "levels": [pb.LEVEL_EVENT, pb.LEVEL_FEATURE],
    "max_coalitions": 256,
    "target_standard_error": 0.0,
    "pruning_tolerance": 0.0,
    "estimator": pb.ESTIMATOR_REGRESSION,
}
ASKED = 4
"""Requests at a time."""


@pytest.fixture
def model() -> CountingModel:
    return CountingModel(ONNX)


@pytest.fixture
def endpoint(model: CountingModel) -> Iterator[InferenceServer]:
    with InferenceServer({"gru": model}) as running:
        yield running


def together(server: Any, **options: Any) -> list[pb.Explanation]:
    """Several different requests at once."""
    with ThreadPoolExecutor(ASKED) as threads:
        asked = [request("gru", seed=seed, **(OPTIONS | options)) for seed in range(ASKED)]
        return list(threads.map(lambda each: explained(server, each), asked))


def most_beyond(came: list[tuple[float, int]], rate: float) -> float:
    """Returns how many rows more came in a window of time than the rate allows, in seconds' worth."""
    most = 0.0
    for first, (start, _) in enumerate(came):
        rows_since = 0
        for end, rows in came[first:]:
            rows_since += rows
            most = max(most, rows_since / rate - (end - start))
    return most


@pytest.mark.slow  # a window of a second must pass twice
def test_rows_a_second(tmp_path: Path, endpoint: InferenceServer, model: CountingModel) -> None:
    """In no window of time do more rows come than the rate allows, with a second's worth at once after a quiet time."""
    rate = 1500.0
    write_endpoint(tmp_path, "gru", endpoint.uri("gru"), max_rows_per_second=rate)
    # On a machine that stands still while rows are under way, they arrive together later, so there are three tries.
    for _ in range(3):
        model.came.clear()
        with serving(tmp_path) as server:
            reachable(server, "gru")
            answers = together(server, max_coalitions=1024)
        assert not any(answer.cut_short for answer in answers)
        total = sum(rows for _, rows in model.came)
        assert total == sum(answer.cost.endpoint_rows for answer in answers)
        assert total > 2 * rate
        if (most := most_beyond(model.came, rate)) <= 1.5:
            break
    assert most <= 1.5


def test_rows_that_the_rate_leaves_no_time_for(tmp_path: Path, endpoint: InferenceServer) -> None:
    """A deadline too short for the rate gives an answer cut short, or says so; it does not wait past it."""
    write_endpoint(tmp_path, "gru", endpoint.uri("gru"), max_rows_per_second=100)
    with serving(tmp_path) as server:
        reachable(server, "gru")
        for seed in range(2):
            found = outcome(server, request("gru", seed=seed, **OPTIONS), 0.4)
            if isinstance(found, Failure):
                assert found.code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
            else:
                assert found.cut_short


def test_rows_and_calls_in_flight(tmp_path: Path, endpoint: InferenceServer, model: CountingModel) -> None:
    """The server never sees more of them than the terms allow, whoever asks, and whichever name is used."""
    model.delay = 0.005
    terms = {"max_rows_in_flight": 100, "max_calls": 3, "max_batch_rows": 40}
    write_endpoint(tmp_path, "gru", endpoint.uri("gru"), **terms)
    write_endpoint(tmp_path, "same", endpoint.uri("gru"), **terms)
    with serving(tmp_path) as server:
        reachable(server, "gru", "same")
        with ThreadPoolExecutor(ASKED) as threads:
            names = ["gru", "same"] * (ASKED // 2)
            asked = [request(name, seed=seed, **OPTIONS) for seed, name in enumerate(names)]
            answers = list(threads.map(lambda each: explained(server, each), asked))
    assert 40 <= model.most_rows <= 100
    assert 2 <= model.most_at_once <= 3
    assert sum(model.batches) == sum(answer.cost.endpoint_rows for answer in answers)
    assert len(model.batches) == sum(answer.cost.endpoint_calls for answer in answers)


@pytest.mark.slow
def test_the_window_grows_no_further_than_helps(
    tmp_path: Path, endpoint: InferenceServer, model: CountingModel
) -> None:
    """A server that takes one call at a time is not sent many to wait there; the metric tells how many."""
    one = threading.Lock()

    def serial(request: Any, context: Any, answer: Any) -> Any:
        with one:
            time.sleep(0.005)
            return answer()

    endpoint.twists["ModelInfer"] = serial
    write_endpoint(tmp_path, "gru", endpoint.uri("gru"), max_calls=16, max_batch_rows=8)
    with serving(tmp_path) as server:
        reachable(server, "gru")
        together(server)
        assert 1 <= metric(server, "sequela_endpoint_window", endpoint="gru/1") <= 8


def test_a_small_request_beside_a_large_one(
    tmp_path: Path, endpoint: InferenceServer, model: CountingModel
) -> None:
    """It gets its turn call by call, and is answered long before the large one, of which most is still to come."""
    model.delay = 0.01
    write_endpoint(tmp_path, "gru", endpoint.uri("gru"), max_calls=2, max_batch_rows=16)
    with serving(tmp_path) as server:
        reachable(server, "gru")
        large = server.explanations.Explain.future(
            request("gru", length=30, seed=1, **(OPTIONS | {"max_coalitions": 1 << 14})), timeout=100
        )
        eventually(lambda: len(model.batches) > 10)
        # While a busy machine does not let the small one run, the large one goes on, so there are three tries.
        for seed in range(2, 5):
            before = len(model.batches)
            small = explained(server, request("gru", seed=seed, **OPTIONS))
            between = len(model.batches) - before
            assert not large.done()
            # As many of the large one's calls as of its own, and those in the window.
            most = 3 * small.cost.endpoint_calls + 20
            if between <= most:
                break
        assert between <= most
        large.cancel()


def test_a_slow_endpoint_holds_up_nobody_else(
    tmp_path: Path, endpoint: InferenceServer, model: CountingModel
) -> None:
    """Local models are explained while more requests than there are seats wait for an endpoint that hangs."""
    write_local(tmp_path, "local", ONNX, schema_of(CASE))
    write_endpoint(tmp_path, "gru", endpoint.uri("gru"), call_seconds=PATIENCE)
    write_endpoint(tmp_path, "other", endpoint.uri("other"))
    endpoint.models["other"] = other = ServedModel(ONNX)  # type: ignore[index]
    hangs = threading.Event()

    def hang(request: Any, context: Any, answer: Any) -> Any:
        if request.model_name == "gru":
            hangs.wait(PATIENCE)
        return answer()

    with serving(tmp_path, workers=2) as server:
        reachable(server, "gru", "other", "local")
        endpoint.twists["ModelInfer"] = hang
        waiting = [
            server.explanations.Explain.future(request("gru", seed=seed, **OPTIONS), timeout=60)
            for seed in range(8)
        ]
        eventually(lambda: sum(call.method == "ModelInfer" for call in endpoint.calls) >= 2)
        for name in ("local", "other"):
            assert not explained(server, request(name, **OPTIONS)).cut_short
        assert not any(call.done() for call in waiting)
        assert other.batches
        hangs.set()
        for call in waiting:
            assert call.result().explanation.explained


def test_answers_of_a_pinned_version_are_reused(
    tmp_path: Path, endpoint: InferenceServer, model: CountingModel
) -> None:
    """The same question again costs no row; without a version, each is asked anew."""
    write_endpoint(tmp_path, "gru", endpoint.uri("gru"))
    endpoint.models["free"] = free = ServedModel(ONNX)  # type: ignore[index]
    write_endpoint(tmp_path, "free", endpoint.uri("free"), version="")
    with serving(tmp_path) as server:
        reachable(server, "gru", "free")
        first, again = (explained(server, request("gru", **OPTIONS)) for _ in range(2))
        assert again.cost.cached
        assert again.cost.endpoint_rows == 0
        assert numbers(again) == numbers(first)
        assert sum(model.batches) == first.cost.endpoint_rows
        first, again = (explained(server, request("free", **OPTIONS)) for _ in range(2))
        assert first.cost.endpoint_rows - ROWS_TO_TRY == again.cost.endpoint_rows
        assert first.cost.endpoint_rows + again.cost.endpoint_rows == sum(free.batches)


def test_another_revision_is_asked_anew(
    tmp_path: Path, endpoint: InferenceServer, model: CountingModel
) -> None:
    """The operator's word that another model is served: the same question costs the same rows again. Other terms do
    not, and the first revision's answer is still known.
    """

    def asked(revision: str, **terms: Any) -> pb.Explanation:
        write_endpoint(tmp_path, "gru", endpoint.uri("gru"), version="", revision=revision, **terms)
        said = f"revision {revision}"
        eventually(lambda: said in state(server, "gru").execution)
        return explained(server, request("gru", **OPTIONS))

    write_endpoint(tmp_path, "gru", endpoint.uri("gru"), version="", revision="a")
    with serving(tmp_path) as server:
        reachable(server, "gru")
        first, same, other, back = asked("a"), asked("a", attempts=2), asked("b"), asked("a")
    assert first.cost.endpoint_rows == other.cost.endpoint_rows == sum(model.batches) / 2
    assert [each.cost.cached for each in (first, same, other, back)] == [False, True, False, True]
    assert first.model_digest == same.model_digest == back.model_digest != other.model_digest
    assert numbers(other) == numbers(first)
