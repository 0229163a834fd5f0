"""What a servicer asks of the call it answers: how much time it has, and the next message of its stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import grpc

from sequela.concurrency.deadline import Deadline
from sequela.errors import OutOfTime

T = TypeVar("T")
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# What is kept back for encoding and sending takes no more than this share of a short deadline.
LARGEST_SHARE = 0.4

# gRPC sends deadlines rounded up, to as much as a hundredth more: 49.95 s arrives as 50 s.
ROUNDED_UP = 0.01


@dataclass(frozen=True, slots=True)
class DeadlinePolicy:
    """How calls are paced: seconds for those that set no deadline, seconds kept back of any deadline, and how many
    questions of a stream are read ahead of its answers.
    """

    default_timeout: float
    reserve: float
    stream_window: int

    def deadline(self, context: Context, allowed: float | None = None) -> Deadline:
        """The clock of a call, or of one of its items that is allowed less."""
        return self.within(context.time_remaining(), allowed)

    def within(self, *limits: float | None) -> Deadline:
        """The clock of what has so many seconds, the least of them; None sets no limit."""
        seconds = min((each for each in limits if each is not None), default=self.default_timeout)
        return Deadline(seconds, min(self.reserve, LARGEST_SHARE * seconds) + ROUNDED_UP * seconds)


async def in_time(messages: AsyncIterator[T], deadline: Deadline) -> AsyncIterator[T]:
    """The messages of a stream; raises OutOfTime when the next one does not come within the clock."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout_at(loop.time() + deadline.remaining):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed while the upload was read") from None
        yield message
