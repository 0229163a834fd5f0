"""A served GRU whose calls tests spoil, and what they ask about it."""

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
