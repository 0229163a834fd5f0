"""A served GRU whose calls can be made to fail, and requests about it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import grpc
from endpoint_folders import (
    request,
)
from matrix import BY_NAME
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure

Code = grpc.StatusCode
Twist = Callable[[Any, Any, Callable[[], Any]], Any]

CASE = BY_NAME["gru"]
ROWS = 16
"""The rows of a call: so few that no call is split, and the same rows are always in one call."""
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
SOON = 3.0
"""The deadline of tests that wait until it is reached, in seconds."""


def asked(seed: int = 0, **options: Any) -> pb.ExplainRequest:
    return request("gru", seed=seed, **(OPTIONS | options))


def unavailable(failed: Failure) -> None:
    """Asserts that a call failed in a way that another attempt may resolve."""
    assert (failed.code, failed.reason) == (Code.UNAVAILABLE, "ENDPOINT_UNAVAILABLE"), failed.message
    assert failed.retry is not None
    assert failed.retry > 0


def every(number: int, spoiled: Twist) -> Twist:
    """Makes every n-th call fail in a given way; the others are answered correctly."""
    lock, calls = threading.Lock(), 0

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        nonlocal calls
        with lock:
            calls += 1
            chosen = calls % number == 0
        return spoiled(request, context, answer) if chosen else answer()

    return twist


def now_and_then(number: int, spoiled: Twist) -> Twist:
    """Makes every n-th call fail in a given way, but none that has the rows of one that failed before. Where calls are
    repeated in any order, the same one could fail so often that it is given up.
    """
    failed: set[bytes] = set()

    def twist(request: Any, context: Any, answer: Callable[[], Any]) -> Any:
        rows = b"".join(request.raw_input_contents)
        if rows in failed:
            return answer()
        failed.add(rows)
        return spoiled(request, context, answer)

    return every(number, twist)


def saying(code: Code, words: str = "no") -> Twist:
    return lambda request, context, answer: context.abort(code, words)
