"""Files that end or hang the process that loads or runs them, sent by a caller: each ends in a named error or an
answer, in time, and nobody else notices.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from api.rpc_calls import explain_request, inline
from hostile_graphs import GRAPHS
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, inputs

LOAD_SECONDS, GRACE_SECONDS = 4.0, 0.5
PROMISED_SECONDS = 10.0  # a second, and more on a machine that is busy with other tests
CALL_SECONDS = 4.0
CODES = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
# Each of these ends its process by another signal or in another way, or is refused before.
FEW = ("gru_of_no_steps", "sparse_tensors", "message_100000_deep")


@pytest.fixture(scope="module")
def attacked() -> Iterator[Serving]:
    limits = {"upload_engine_bytes": 600 << 20, "model_load_seconds": LOAD_SECONDS}
    with Serving(embedded(engine_grace=GRACE_SECONDS, **limits)) as server:
        honest(server, 0)  # the first engine takes longer, because modules are imported
        yield server


def honest(server: Serving, seed: int) -> None:
    found = server.explanations.Explain(explain_request(caller_id=str(seed)), timeout=60).explanation
    assert found.explained


def outcome(server: Serving, content: bytes) -> tuple[grpc.StatusCode, str]:
    """Returns the code and the reason of the error, or OK."""
    width = pb.BackgroundReference(values=pb.BackgroundValues(inputs=inputs(np.zeros(4))))
    sequence = pb.Sequence(inputs=inputs(np.ones((6, 4))))
    request = pb.ExplainRequest(model=inline(content), background=width, sequence=sequence)
    try:
        server.explanations.Explain(request, timeout=LOAD_SECONDS + CALL_SECONDS)
    except grpc.RpcError as error:
        return error.code(), Failure(error).reason
    return grpc.StatusCode.OK, ""


@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in GRAPHS]
)
def test_each_ends_in_a_named_error_or_an_answer(attacked: Serving, name: str) -> None:
    """While another caller is answered."""
    content = GRAPHS[name]()
    start = time.monotonic()
    with ThreadPoolExecutor(1) as callers:
        other = callers.submit(honest, attacked, 1)
        code, reason = outcome(attacked, content)
        taken = time.monotonic() - start
        other.result()
    assert code in CODES, reason
    assert taken < LOAD_SECONDS + CALL_SECONDS + GRACE_SECONDS + PROMISED_SECONDS
    honest(attacked, 2)
