"""Sets the deadline of a request, and reads a stream within a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from sequela.concurrency.deadline import Deadline
from sequela.errors import OutOfTime

T = TypeVar("T")

MAX_RESERVE_SHARE = 0.4
"""The largest share of a short deadline that is reserved for solving, encoding and sending the answer."""
SCORES_RESERVE_SHARE = 0.5
"""The share of this reserve that scores alone need, which are sent as soon as the model has run."""

ROUNDED_UP_SHARE = 0.01
"""gRPC sends deadlines rounded up, by up to a hundredth: 49.95 s arrives as 50 s."""

LATE_SHARE = 0.005
MAX_LATE_SECONDS = 0.1
"""Further seconds that are reserved for steps that take longer than expected while the machine is busy. In a minute of
three times the load, one deadline of 30 s was missed by 21 ms.
"""


@dataclass(frozen=True, slots=True)
class DeadlinePolicy:
    """The rules for deadlines.

    Attributes:
        default_timeout: The timeout in seconds of requests that set no deadline.
        reserve: The time in seconds reserved before every deadline for solving, encoding and sending the answer.
        stream_window: How many requests of a stream are read ahead of its answers.
    """

    default_timeout: float
    reserve: float
    stream_window: int

    def within(self, *timeouts: float | None) -> Deadline:
        """Returns a deadline after the shortest of these timeouts, in seconds. None means no timeout."""
        seconds = min((each for each in timeouts if each is not None), default=self.default_timeout)
        # A short deadline must leave most of its time for the work.
        whole = min(self.reserve, MAX_RESERVE_SHARE * seconds)
        reserve = SCORES_RESERVE_SHARE * whole + ROUNDED_UP_SHARE * seconds
        reserve += min(LATE_SHARE * seconds, MAX_LATE_SECONDS)
        return Deadline(seconds, reserve, whole - SCORES_RESERVE_SHARE * whole)


async def read_within(messages: AsyncIterator[T], deadline: Deadline) -> AsyncIterator[T]:
    """Yields the messages of a stream. Raises OutOfTime if the next message does not arrive before the deadline."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            # The limit is for the whole stream, so a slow sender cannot keep an upload open.
            async with asyncio.timeout_at(loop.time() + deadline.remaining):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed while the upload was read") from None
        yield message
