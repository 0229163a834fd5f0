"""What a servicer asks of the call it answers: how much time it has, and the next message of its stream."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import grpc

from sequela.errors import OutOfTime
from sequela.explaining.clock import Clock

T = TypeVar("T")
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# The reserve for encoding and sending takes no more than this share of a short deadline.
RESERVED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Timing:
    """How long calls may take, in seconds: where the caller sets no deadline, and what is kept back of any deadline."""

    default_timeout: float = 60.0
    reserve: float = 0.02

    def clock(self, context: Context) -> Clock:
        """The clock of a whole call."""
        return self.clock_of(self.seconds(context))

    def clock_of(self, seconds: float) -> Clock:
        """A clock that ends a little before the time is up."""
        return Clock(seconds, min(self.reserve, RESERVED_SHARE * seconds))

    def seconds(self, context: Context, allowed: float = math.inf) -> float:
        """The time left of a call, and of what its item is allowed; the default where neither says."""
        limits = (allowed, _left(context))
        return min(limits) if min(limits) < math.inf else self.default_timeout


def _left(context: Context) -> float:
    left: float | None = context.time_remaining()
    return math.inf if left is None else left


async def in_time(messages: AsyncIterator[T], clock: Clock) -> AsyncIterator[T]:
    """The messages of a stream; raises OutOfTime when the next one does not come within the clock."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout_at(loop.time() + clock.remaining):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed while the upload was read") from None
        yield message
