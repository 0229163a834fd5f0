"""Reads the messages of gRPC calls, within limits of memory and time (`api/message_budget.py`).

gRPC itself would read the message of a unary call before the server learns of the call, and would wait for it as long
as the caller likes. So every method is offered to gRPC as one that takes a stream, which is the same to callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sequela.api.grpc.context import Context
from sequela.api.grpc.probes import is_probe
from sequela.api.message_budget import MessageBudget, MessageShare
from sequela.errors import Cancelled
from sequela.explain.telemetry import Call

KEPT_UPLOADS = frozenset({"RegisterModel"})
"""Methods whose messages are all kept until the call ends. They must be complete within the time of one message."""


@dataclass(frozen=True, slots=True, eq=False)
class MessageReader:
    """Reads messages.

    Attributes:
        budget: The memory that all calls share.
        probe_budget: That of health checks and reflection, so that they never wait for other calls.
        timeout_seconds: How long a message may take to arrive.
        window: How many messages of a stream are worked on at a time.
    """

    budget: MessageBudget
    probe_budget: MessageBudget
    timeout_seconds: float
    window: int

    @contextlib.asynccontextmanager
    async def message(
        self, call: Call, messages: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        """Reads the message of a call that has one. It counts as held until the context exits.

        Raises:
            Cancelled: The caller ended the call without a message.
            OutOfTime, Overloaded: As `MessageBudget.read`.
        """
        budget = self._budget(call)
        with budget.share() as share:
            data = await budget.read(share, lambda: anext(messages, None), self._end(context))
            if data is None:
                raise Cancelled("CANCELLED", "the caller ended the call without a message")
            yield data

    async def stream(
        self, call: Call, messages: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        """Yields the messages of a stream, of which as many count as held as are worked on at a time.

        Streams with answers may pause for as long as they last. The messages of uploads must follow each other in time.
        Raises OutOfTime and Overloaded, as `MessageBudget.read`.
        """
        budget, held = self._budget(call), deque[int]()
        with budget.share() if call.kind == "client_stream" else budget.stream() as share:
            whole = self._end(context)
            while (data := await self._next(call, budget, share, messages, context, whole)) is not None:
                held.append(len(data))
                if len(held) > self.window + 1 and call.method not in KEPT_UPLOADS:
                    budget.release(share, held.popleft())
                yield data

    async def _next(
        self,
        call: Call,
        budget: MessageBudget,
        share: MessageShare,
        messages: AsyncIterator[bytes],
        context: Context,
        whole: float,
    ) -> bytes | None:
        if call.kind == "client_stream":
            end = whole if call.method in KEPT_UPLOADS else self._end(context)
            return await budget.read(share, lambda: anext(messages, None), end)
        data = await anext(messages, None)
        budget.hold(share, len(data or b""))
        return data

    def _budget(self, call: Call) -> MessageBudget:
        return self.probe_budget if is_probe(call) else self.budget

    def _end(self, context: Context) -> float:
        left = context.time_remaining()
        return asyncio.get_running_loop().time() + min(
            self.timeout_seconds, math.inf if left is None else left
        )
