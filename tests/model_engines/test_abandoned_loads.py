"""Loading a caller's model ends with its callers, so that it does not keep others from their answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
from api.rpc_calls import explain_request, inline, upload
from endpoint_folders import metric
from hostile_builders import floats, longs, model, node, scored
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, inputs
from waiting import PATIENCE, eventually

GRACE_SECONDS = 0.5
DEADLINES_SECONDS = (2.0, 6.0, 18.0)
"""The server answers before the deadline, so that the caller hears why. On a busy machine the caller's own clock may
come first, and then a longer deadline is tried, of which more is kept for the answer.
"""
LOAD_SECONDS = 600.0


def slow_to_load(number: int) -> bytes:
    """A file of some hundred bytes with a product that onnxruntime computes for about ten seconds when it loads it."""
    nodes = [
        node("Expand", ["one", "shape"], ["m"]),
        *(node("MatMul", [a, "m"], [b]) for a, b in (("m", "p"), ("p", "q"), ("q", "all"))),
        *scored("all"),
    ]
    return model(nodes, {"one": floats(1, 1) * (number + 1), "shape": longs(5500, 5500)})


def ask(server: Serving, number: int, timeout: float) -> grpc.Future:
    width = pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(4))))
    sequence = pb.Sequence(inputs=inputs(np.ones((6, 4))))
    request = pb.ExplainRequest(model=inline(slow_to_load(number)), background=width, sequence=sequence)
    return server.explanations.Explain.future(request, timeout=timeout)


@pytest.fixture(scope="module")
def crowded() -> Iterator[Serving]:
    settings = embedded(upload_engines=2, engine_grace=GRACE_SECONDS, model_load_seconds=LOAD_SECONDS)
    with Serving(settings) as server:
        honest(server, 0)  # the first engine takes longer, because modules are imported
        yield server


def honest(server: Serving, seed: int) -> None:
    """Sends a usual request, which is answered."""
    request = explain_request(caller_id=str(seed))
    assert server.explanations.Explain(request, timeout=PATIENCE).explanation.explained


def ended(server: Serving) -> float:
    """Returns how many engines were ended at their work. One that has loaded its model is not among them."""
    return metric(server, "sequela_engine_exits_total", **{"class": "untrusted", "reason": "overran"})


@pytest.mark.slow
def test_loads_end_with_the_deadlines_of_their_callers(crowded: Serving) -> None:
    """Four such models, two at a time: their engines are ended, and a usual request comes next."""
    before = ended(crowded)
    for seconds in DEADLINES_SECONDS:
        calls = [ask(crowded, number, seconds) for number in range(4)]
        failures = [Failure(call.exception()) for call in calls]
        assert {each.code for each in failures} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        # Each of the first two was being loaded.
        if told := "MODEL_LOAD_TOO_SLOW" in {each.reason for each in failures}:
            break
    assert told
    eventually(lambda: ended(crowded) >= before + 2)
    honest(crowded, 1)


@pytest.mark.slow
def test_loads_end_with_callers_who_hang_up(crowded: Serving) -> None:
    """Long before their deadlines."""
    before = ended(crowded)
    calls = [ask(crowded, number, 4 * PATIENCE) for number in range(10, 12)]
    time.sleep(1.0)  # so that both are loading
    for call in calls:
        call.cancel()
    eventually(lambda: ended(crowded) >= before + 2)
    honest(crowded, 2)


@pytest.mark.slow
def test_an_upload_that_loads_too_long_hears_so(crowded: Serving) -> None:
    """By name, before its deadline."""
    for seconds in DEADLINES_SECONDS:
        with pytest.raises(grpc.RpcError) as caught:
            crowded.models.RegisterModel(iter(upload("slow", slow_to_load(20))), timeout=seconds)
        failed = Failure(caught.value)
        if failed.reason:
            break
    assert (failed.code, failed.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "MODEL_LOAD_TOO_SLOW")
