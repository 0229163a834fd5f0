"""Failures of other model servers, tried on this one. docs/operations.md lists all of them with their tests."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from api.inference_calls import create_background, infer_request, stub
from api.made import Gate
from api.rpc_calls import explain_request, sequence
from api.test_kserve import post
from matrix import BY_NAME, copy_models
from model_engines.engine_processes import trusted_engines
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import PATIENCE, eventually

AT_A_TIME = 25
GRU = BY_NAME["gru"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_models(tmp_path_factory.mktemp("models"), ["gru"])


def asked(seed: int = 0, events: int = 12, **more: Any) -> pb.ExplainRequest:
    return explain_request(model=pb.ModelReference(name="gru"), sequence=sequence(seed, events), **more)


def failure(server: Serving, request: pb.ExplainRequest, seconds: float) -> Failure | None:
    """Returns how a call failed, or None if it was answered."""
    try:
        server.explanations.Explain(request, timeout=seconds)
    except grpc.RpcError as error:
        return Failure(error)
    return None


@pytest.mark.slow
def test_an_engine_that_is_killed_as_often_as_it_starts(repository: Path) -> None:
    """As when memory is short: while it starts, loads, and works. Nobody hangs, and then all is well."""
    others = set(trusted_engines())  # of servers that other tests share
    with (
        Serving(embedded(engines=1, model_repository=repository, brownout=False)) as server,
        ThreadPoolExecutor(4) as callers,
    ):
        sample = server.wired.metrics.registry.get_sample_value
        killed = set[int]()
        calls = [callers.submit(failure, server, asked(seed), PATIENCE) for seed in range(8)]
        while len(killed) < 4:
            for engine in set(trusted_engines()) - others - killed:
                with suppress(ProcessLookupError):
                    os.kill(engine, signal.SIGKILL)
                killed.add(engine)
            time.sleep(0.01)
        failed = [each for call in calls if (each := call.result(2 * PATIENCE))]
        assert all(each.code is grpc.StatusCode.UNAVAILABLE and each.reason for each in failed)
        eventually(lambda: sample("sequela_engines_up", {"class": "trusted"}) == 1, PATIENCE)
        eventually(lambda: failure(server, asked(9), PATIENCE) is None, PATIENCE)
        assert httpx.get(f"http://{server.bound.http}/readyz", timeout=PATIENCE).status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_answers_after_deadlines_that_passed(repository: Path) -> None:
    """25 calls at a time get too little time, again and again; each of the next 25 gets the answer to its question."""
    # A target that is asked for, since a default one may be raised while many wait.
    exact = pb.ExplainOptions(seed=1, target_standard_error=1e-3)
    requests = [asked(seed, events=6, options=exact) for seed in range(AT_A_TIME)]
    with Serving(embedded(model_repository=repository)) as calm:
        expected = [_values(calm, each) for each in requests]
    with (
        # Without brownout, nobody is refused because others have to wait for long.
        Serving(embedded(engines=1, model_repository=repository, brownout=False)) as server,
        ThreadPoolExecutor(AT_A_TIME) as callers,
    ):
        for seconds in (0.001, 0.02, 0.1):
            hurried = [asked(seed + 100, 200) for seed in range(AT_A_TIME)]
            list(callers.map(lambda each, limit=seconds: failure(server, each, limit), hurried))
        assert list(callers.map(lambda each: _values(server, each), requests)) == expected
        sample = server.wired.metrics.registry.get_sample_value
        eventually(lambda: sample("sequela_inflight", {"executor": "explain"}) == 0)


def _values(server: Serving, request: pb.ExplainRequest) -> list[list[float]]:
    found = server.explanations.Explain(request, timeout=AT_A_TIME * PATIENCE).explanation
    return [list(each.values) for each in found.event_level.attributions]


def test_an_axis_of_minus_one(repository: Path) -> None:
    """Through each protocol: the caller hears which axis is wrong, and the next one is answered."""
    with Serving(embedded(engines=1, model_repository=repository)) as server:
        create_background(server, GRU)
        ours = asked()
        ours.sequence.inputs[0].tensor.shape[0] = -1
        found = failure(server, ours, PATIENCE)
        assert found
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TENSOR_SHAPE")
        theirs = infer_request("gru", [GRU.sample(6, 0)], background="usual")
        for at in range(3):
            theirs.inputs[0].shape[at] = -1
            with pytest.raises(grpc.RpcError) as caught:
                stub(server).ModelInfer(theirs, timeout=PATIENCE)
            assert Failure(caught.value).reason == "TENSOR_SHAPE"
        tensor = {"name": "events", "shape": [-1, 5], "datatype": "FP32", "data": np.zeros(10).tolist()}
        assert post(server, "/v2/models/gru/infer", {"inputs": [tensor]}).status_code == 400
        assert failure(server, asked(), PATIENCE) is None


def test_more_calls_at_once_than_there_is_room_for() -> None:
    """Of 25 that come together one runs, two wait, and the others are refused: no call gets in past the limit."""
    gate, together = Gate(), threading.Barrier(AT_A_TIME)
    settings = embedded(upload_engines=1, queue_size=2)
    with Serving(settings, explainer=gate) as server, ThreadPoolExecutor(AT_A_TIME) as callers:
        refused = server.wired.metrics.registry.get_sample_value

        def call(_: int) -> str:
            together.wait(PATIENCE)
            found = failure(server, explain_request(), PATIENCE)
            return found.reason if found else "answered"

        calls = [callers.submit(call, number) for number in range(AT_A_TIME)]
        full = {"where": "uploads", "reason": "QUEUE_FULL"}
        eventually(lambda: refused("sequela_requests_rejected_total", full) == AT_A_TIME - 3, PATIENCE)
        gate.open.set()
        ends = Counter(each.result(PATIENCE) for each in calls)
        assert ends == {"answered": 3, "QUEUE_FULL": AT_A_TIME - 3}


def test_a_drain_waits_for_the_ends_of_calls_that_it_ends() -> None:
    """When it is over, each call has been counted and logged: nothing of it is left to be done."""
    gate = Gate()
    with Serving(embedded(drain_grace=0.1, upload_engines=4), explainer=gate) as server:
        calls = [server.explanations.Explain.future(explain_request(), timeout=PATIENCE) for _ in range(4)]
        for _ in calls:
            assert gate.begun.acquire(timeout=PATIENCE)
        server.drain()
        labels = {
            "grpc_type": "unary",
            "grpc_service": "sequela.v1.ExplanationService",
            "grpc_method": "Explain",
        }
        ended = {**labels, "grpc_code": "UNAVAILABLE"}
        sample = server.wired.metrics.registry.get_sample_value
        assert sample("grpc_server_handled_total", ended) == len(calls)
        for each in calls:
            with pytest.raises(grpc.RpcError) as caught:
                each.result(PATIENCE)
            assert Failure(caught.value).reason == "DRAINING"
