"""The context of a gRPC call."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from sequela.api.deadline_policy import DeadlinePolicy
from sequela.concurrency.deadline import Deadline

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def call_deadline(policy: DeadlinePolicy, context: Context, timeout: float | None = None) -> Deadline:
    """Returns the deadline of a call, or of a stream item that has a shorter `timeout` in seconds."""
    return policy.within(context.time_remaining(), timeout)
