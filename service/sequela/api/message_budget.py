"""Bounds the memory of all messages that callers have sent, or are sending, together.

gRPC holds what has arrived of a message until the message is complete, and does not say how much that is. So a message
that is being read counts with the largest size that a message may have. Nothing of a message beyond the first 64 KiB is
accepted before it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from sequela.errors import OutOfTime, Overloaded, SequelaError
from sequela.explain.ports import Observer
from sequela.explain.telemetry import RequestRejected

T = TypeVar("T", bytes, bytes | None)

PATIENCE_SECONDS = 1.0
"""How long a message may take to arrive while others wait for its place. Messages that were sent whole take
milliseconds.
"""
MAX_WAITING = 4096
"""How many calls may wait for a place; gRPC holds up to 64 KiB of each."""
RETRY_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class MessageShare:
    """What one call takes.

    Attributes:
        started: When the call began, in seconds of the event loop's clock.
        held_bytes: The size of its complete messages.
        limit: The time limit of the message that it is reading; None while it reads none.
        is_evicted: Whether it has to make room for others.
    """

    started: float
    held_bytes: int = 0
    limit: asyncio.Timeout | None = None
    is_evicted: bool = False


@dataclass(slots=True, eq=False)
class MessageBudget:
    """Shares memory among calls. Must be used from a single event loop.

    Attributes:
        max_bytes: The size of all messages together. One message may always be read.
        message_bytes: The largest size of one message.
        observer: Receives every refusal.
        max_streams: How many streams with answers may be open. They wait for their next message without a time limit,
            so that what has arrived of it cannot be counted.
    """

    max_bytes: int
    message_bytes: int
    observer: Observer
    max_streams: int = sys.maxsize
    _streams: int = 0
    _held_bytes: int = 0
    _reading: dict[MessageShare, None] = field(default_factory=dict)
    _waiting: deque[tuple[MessageShare, asyncio.Future[None]]] = field(default_factory=deque)
    _timer: asyncio.TimerHandle | None = None

    @property
    def used_bytes(self) -> int:
        """The size of complete messages, and of those that are being read at their largest."""
        return self._held_bytes + len(self._reading) * self.message_bytes

    @contextlib.contextmanager
    def share(self) -> Iterator[MessageShare]:
        """Returns the share of a call, which is given back on exit."""
        share = MessageShare(asyncio.get_running_loop().time())
        try:
            yield share
        finally:
            self.release(share, share.held_bytes)

    @contextlib.contextmanager
    def stream(self) -> Iterator[MessageShare]:
        """Returns the share of a stream with answers. Raises Overloaded if too many are open."""
        if self._streams >= self.max_streams:
            text = f"{self._streams} streams are open, but the limit is {self.max_streams} (--max-streams); retry later"
            raise self._refusal(Overloaded("QUEUE_FULL", text, retry_after=RETRY_SECONDS))
        self._streams += 1
        try:
            with self.share() as share:
                yield share
        finally:
            self._streams -= 1

    async def read(self, share: MessageShare, message: Callable[[], Awaitable[T]], end: float) -> T:
        """Reads a message, once there is room for it, and holds it.

        Args:
            share: The share of the call.
            message: Reads the message; the result is None at the end of a stream.
            end: When the message must have arrived, in seconds of the event loop's clock.

        Raises:
            OutOfTime: The message did not arrive in time.
            Overloaded: There was no room, or others waited for the room of a message that arrived too slowly.
        """
        await self._wait_for_room(share, end)
        self._reading[share] = None
        try:
            async with asyncio.timeout_at(end) as share.limit:
                data = await message()
        except TimeoutError:
            raise self._late(share) from None
        finally:
            share.limit = None
            del self._reading[share]
            self._wake()
        self.hold(share, len(data or b""))
        return data

    def hold(self, share: MessageShare, size: int) -> None:
        """Counts a complete message. Raises Overloaded if there is no room for it."""
        alone = self.used_bytes == share.held_bytes
        if not alone and self.used_bytes + size > self.max_bytes:
            raise self._refusal(self._full())
        share.held_bytes += size
        self._held_bytes += size

    def release(self, share: MessageShare, size: int) -> None:
        """Counts a message no longer."""
        share.held_bytes -= size
        self._held_bytes -= size
        self._wake()

    async def _wait_for_room(self, share: MessageShare, end: float) -> None:
        while not self._has_room(share):
            if len(self._waiting) >= MAX_WAITING:
                raise self._refusal(self._full())
            place = asyncio.get_running_loop().create_future()
            self._waiting.append((share, place))
            self._plan_eviction()
            try:
                async with asyncio.timeout_at(end):
                    await place
            except BaseException as error:
                with contextlib.suppress(ValueError):
                    self._waiting.remove((share, place))
                # It may have got its place just now, which is then for the next one.
                self._wake()
                if isinstance(error, TimeoutError):
                    raise self._refusal(self._full()) from None
                raise

    def _has_room(self, share: MessageShare) -> bool:
        # A call that is alone is never refused, however small the budget is.
        alone = self.used_bytes == share.held_bytes
        return alone or self.used_bytes + self.message_bytes <= self.max_bytes

    def _wake(self) -> None:
        while self._waiting and self._has_room(self._waiting[0][0]):
            _, place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                break  # it wakes the next one when it has read its message

    def _plan_eviction(self) -> None:
        oldest = self._oldest()
        if self._timer is None and oldest is not None:
            when = oldest.started + PATIENCE_SECONDS
            self._timer = asyncio.get_running_loop().call_at(when, self._evict)

    def _evict(self) -> None:
        """Ends the oldest message that is being read, if others wait for its room."""
        self._timer = None
        now, oldest = asyncio.get_running_loop().time(), self._oldest()
        if not self._waiting or oldest is None:
            return
        if oldest.limit is not None and now >= oldest.started + PATIENCE_SECONDS:
            oldest.is_evicted = True
            oldest.limit.reschedule(now)
        self._plan_eviction()

    def _oldest(self) -> MessageShare | None:
        reading = (share for share in self._reading if not share.is_evicted)
        return min(reading, key=lambda share: share.started, default=None)

    def _late(self, share: MessageShare) -> SequelaError:
        if share.is_evicted:
            text = f"the message did not arrive within {PATIENCE_SECONDS:g} s while other calls waited; retry later"
            return self._refusal(Overloaded("MESSAGE_TOO_SLOW", text, retry_after=RETRY_SECONDS))
        return OutOfTime(
            "DEADLINE_TOO_SHORT", "the deadline passed while the message was read (--upload-timeout)"
        )

    def _full(self) -> Overloaded:
        text = f"the messages of other calls hold {self.used_bytes} of at most {self.max_bytes} bytes "
        text += "(--max-message-bytes-in-flight); retry later"
        return Overloaded("QUEUE_FULL", text, retry_after=RETRY_SECONDS)

    def _refusal(self, error: Overloaded) -> Overloaded:
        self.observer.notice(RequestRejected("messages", error.reason))
        return error
