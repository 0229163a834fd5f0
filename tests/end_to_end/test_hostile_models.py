"""Hostile models through the public door: each call ends in an answer or a named error in time; no other call fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import TracebackType

import grpc
import numpy as np
import pytest
import small_onnx
from api.rpc_calls import inline, register
from fuzz import mutants, nodes
from hostile_graphs import GRAPHS
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, inputs
from waiting import eventually

LIMIT_SECONDS = 4.0
PROMISED_SECONDS = 10.0  # a second, and more on a machine that is busy with other tests
UNFORESEEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}
HARMLESS = small_onnx.scoring({"events": (small_onnx.FLOAT, ["n", "l", 4])})
HARMFUL = ("gru_of_no_steps", "div_int32_by_minus_1", "attention_no_heads", "conv_transpose_group_0")
"""Some of those that end the process that loads them."""


class HonestCaller:
    """Explains with a harmless model all the time. No call may fail."""

    def __init__(self, server: Serving) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on)
        self.answers = 0
        self.problem: Exception | None = None

    def __enter__(self) -> None:
        explain(self._server, HARMLESS, 60)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        assert self.problem is None, self.problem
        assert self.answers

    def _ask_on(self) -> None:
        try:
            while not self._over.wait(0.1):
                explain(self._server, HARMLESS, 60)
                self.answers += 1
        except Exception as error:
            self.problem = error


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    settings = embedded(upload_engine_bytes=600 << 20, quarantine_seconds=0.0)
    with Serving(settings) as running, HonestCaller(running):
        yield running


def explain(server: Serving, content: bytes, seconds: float) -> None:
    sequence = pb.Sequence(inputs=inputs(np.random.default_rng(1).standard_normal((6, 4))))
    background = pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(4))))
    request = pb.ExplainRequest(model=inline(content), background=background, sequence=sequence)
    server.explanations.Explain(request, timeout=seconds)


def outcome(server: Serving, content: bytes) -> str:
    """The reason of the error, or that there is none."""
    # What was asked before may still be ending. The honest caller leaves room for one more.
    running = server.wired.metrics.registry.get_sample_value
    eventually(lambda: (running("sequela_inflight", {"executor": "uploads"}) or 0) <= 1)
    start = time.monotonic()
    try:
        explain(server, content, LIMIT_SECONDS)
        found = "OK"
    except grpc.RpcError as error:
        failure = Failure(error)
        # The client ends a call at its deadline by itself, without a reason.
        found = failure.reason or failure.code.name
        assert failure.code not in UNFORESEEN, failure.message
    assert time.monotonic() - start < LIMIT_SECONDS + PROMISED_SECONDS
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_each_hostile_file_ends_in_an_answer_or_a_named_error(server: Serving, name: str) -> None:
    """Some are refused before they are loaded, some by the runtime, and some end their process."""
    found = outcome(server, GRAPHS[name]())
    assert found == "OK" or found.startswith(("DEADLINE_", "MODEL_", "ENGINE_"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "count"), [(nodes.case, 100), (mutants.case, 100)], ids=["nodes", "mutants"]
)
def test_random_models_end_in_an_answer_or_a_named_error(server: Serving, case: object, count: int) -> None:
    """None of them is told as a fault of the service."""
    for number in range(count):
        assert outcome(server, case(number, 1)[1])  # type: ignore[operator]


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMFUL)
def test_a_hostile_upload_is_a_named_error_too(server: Serving, name: str) -> None:
    """Registering a model loads it, in the same processes."""
    with pytest.raises(grpc.RpcError) as raised:
        register(server, f"hostile-{name.replace('_', '-')}", GRAPHS[name]())
    failure = Failure(raised.value)
    assert failure.code not in UNFORESEEN
    assert failure.reason.startswith(("ENGINE_", "MODEL_"))
