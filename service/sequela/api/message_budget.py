"""Bounds the memory of all messages that callers have sent, or are sending, together.

gRPC holds what has arrived of a message until the message is complete, and does not say how much that is. So a message
that is being read counts with the largest size that a message may have. Nothing of a message beyond the first 64 KiB is
accepted before it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
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
        number: How many calls came before it.
        held_bytes: The size of its complete messages.
        limit: The time limit of the message that it is reading; None while it reads none.
        is_evicted: Whether it has to make room for others.
    """

    number: int
    held_bytes: int = 0
    limit: asyncio.Timeout | None = None
    is_evicted: bool = False

    @property
    def is_leaving(self) -> bool:
        """Whether its message has been given up, so that its room is free in a moment."""
        return self.is_evicted or (self.limit is not None and self.limit.expired())


@dataclass(slots=True, eq=False)
class MessageBudget:
    """Shares memory among calls. Must be used from a single event loop.

    Room goes to those that wait for it, in their order. If they wait for too long, the message that has been read for
    the longest time ends, one message at a time.

    An upload keeps the room of its messages while it waits for that of the next one. Uploads that wait for each other
    would wait for ever, so those that began last are refused. The one that began first is not, so that it is completed.

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
    _reading: dict[MessageShare, float] = field(default_factory=dict)
    """Who has room for a message that is still arriving, and since when; the longest first."""
    _waiting: deque[tuple[MessageShare, asyncio.Future[bool]]] = field(default_factory=deque)
    """Who waits for room. The result is False for a call that is refused because of others."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _timer: asyncio.TimerHandle | None = None

    @property
    def used_bytes(self) -> int:
        """The size of complete messages, and of those that are being read at their largest."""
        return self._held_bytes + len(self._reading) * self.message_bytes

    @contextlib.contextmanager
    def share(self) -> Iterator[MessageShare]:
        """Returns the share of a call, which is given back on exit."""
        share = MessageShare(next(self._numbers))
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
            Overloaded: There was no room, or others waited for the room of a message that arrived too slowly, or for
                that of the call's earlier messages.
        """
        await self._wait_for_room(share, end)
        size = 0
        try:
            async with asyncio.timeout_at(end) as share.limit:
                data = await message()
            size = len(data or b"")
            return data
        except TimeoutError:
            raise self._late(share) from None
        finally:
            self._end_reading(share, size)

    def hold(self, share: MessageShare, size: int) -> None:
        """Counts a complete message. Raises Overloaded if there is no room for it."""
        alone = self.used_bytes == share.held_bytes
        if not alone and self.used_bytes + size > self.max_bytes:
            raise self._refusal(self._full())
        self._add(share, size)

    def release(self, share: MessageShare, size: int) -> None:
        """Counts a message no longer."""
        self._add(share, -size)
        self._wake()

    def _add(self, share: MessageShare, size: int) -> None:
        share.held_bytes += size
        self._held_bytes += size

    async def _wait_for_room(self, share: MessageShare, end: float) -> None:
        """Returns when there is room for a message, which is then reserved."""
        if self._has_room(share):
            self._begin_reading(share)
            return
        if len(self._waiting) >= MAX_WAITING:
            raise self._refusal(self._full())
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((share, place))
        if share.held_bytes:
            self._end_stall()
        self._plan_eviction()
        try:
            async with asyncio.timeout_at(end):
                has_room = await place
        except BaseException as error:
            if share in self._reading:  # it has got its place just now, which is then for the next one
                self._end_reading(share, 0)
            else:
                with contextlib.suppress(ValueError):
                    self._waiting.remove((share, place))
                self._wake()
            if isinstance(error, TimeoutError):
                raise self._refusal(self._full()) from None
            raise
        if not has_room:
            raise self._refusal(self._crowded())

    def _has_room(self, share: MessageShare) -> bool:
        # A call that is alone is never refused, however small the budget is.
        alone = self.used_bytes == share.held_bytes
        return alone or self.used_bytes + self.message_bytes <= self.max_bytes

    def _wake(self) -> None:
        while (each := self._next()) is not None:
            self._waiting.remove(each)
            share, place = each
            if not place.done():
                self._begin_reading(share)
                place.set_result(True)
        self._plan_eviction()

    def _next(self) -> tuple[MessageShare, asyncio.Future[bool]] | None:
        """Returns who gets room now: the first that waits, or the one for whose messages all others wait."""
        if self._waiting and self._has_room(self._waiting[0][0]):
            return self._waiting[0]
        used = self.used_bytes
        return next((each for each in self._waiting if each[0].held_bytes == used), None)

    def _end_stall(self) -> None:
        """Refuses calls until the messages of those that wait leave room for another one, or one call is left.

        They hold these messages for as long as they wait. So none of them could go on, whatever all other calls do.
        """
        stuck = [each for each in self._waiting if each[0].held_bytes and not each[1].done()]
        stuck.sort(key=lambda each: each[0].number)
        held = sum(share.held_bytes for share, _ in stuck)
        while len(stuck) > 1 and held + self.message_bytes > self.max_bytes:
            share, place = last = stuck.pop()
            held -= share.held_bytes
            self._waiting.remove(last)
            place.set_result(False)

    def _begin_reading(self, share: MessageShare) -> None:
        share.is_evicted = False  # an earlier message of the call may have been complete just in time
        self._reading[share] = asyncio.get_running_loop().time()
        self._plan_eviction()

    def _end_reading(self, share: MessageShare, size: int) -> None:
        """Holds a message in the room in which it was read, and passes on what is left."""
        share.limit = None
        del self._reading[share]
        self._add(share, size)
        self._wake()

    def _plan_eviction(self) -> None:
        """Sets the time at which the oldest message ends, if others wait. Once it has left, the next one is planned."""
        oldest = next(iter(self._reading), None)
        if self._waiting and oldest is not None and not oldest.is_leaving and self._timer is None:
            when = self._reading[oldest] + PATIENCE_SECONDS
            self._timer = asyncio.get_running_loop().call_at(when, self._evict)

    def _evict(self) -> None:
        """Ends the message that has been read for the longest time, if others wait for its room."""
        self._timer = None
        now, oldest = asyncio.get_running_loop().time(), next(iter(self._reading), None)
        if not self._waiting or oldest is None or oldest.is_leaving:
            return
        if oldest.limit is not None and now >= self._reading[oldest] + PATIENCE_SECONDS:
            oldest.is_evicted = True
            oldest.limit.reschedule(now)
        self._plan_eviction()

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

    def _crowded(self) -> Overloaded:
        text = "uploads that began earlier need the room that the messages of this one hold "
        text += "(--max-message-bytes-in-flight); retry later"
        return Overloaded("QUEUE_FULL", text, retry_after=RETRY_SECONDS)

    def _refusal(self, error: Overloaded) -> Overloaded:
        self.observer.notice(RequestRejected("messages", error.reason))
        return error
