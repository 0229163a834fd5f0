"""What a servicer knows of the call that it answers."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from sequela.api.deadline_policy import DeadlinePolicy
from sequela.concurrency.deadline import Deadline

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def call_deadline(policy: DeadlinePolicy, context: Context, timeout: float | None = None) -> Deadline:
    """The deadline of a call, or of one item of its stream that is allowed fewer seconds."""
    return policy.within(context.time_remaining(), timeout)
