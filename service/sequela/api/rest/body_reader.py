"""Reads the bodies of requests. Limits the size of each body, and the memory of all bodies held at once."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from sequela.api.errors import BODY_TOO_LARGE
from sequela.api.rest.http_call import caller_left
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput, OutOfTime, Overloaded
from sequela.explain.ports import Observer
from sequela.explain.telemetry import RequestRejected

BYTES_PER_VALUE = 8
"""Each JSON value counts as at least this many bytes, because in memory it takes several times as many."""

RETRY_SECONDS = 1.0
"""When callers whose body did not fit should retry."""


class BodyReader:
    """Reads bodies of at most `max_bytes` each.

    A body must arrive within `timeout_seconds`, and before the deadline. At any time there are at most
    `bodies_at_a_time` bodies of that size, or more that are smaller. Must be used from a single event loop.
    """

    def __init__(
        self, max_bytes: int, bodies_at_a_time: int, observer: Observer, timeout_seconds: float = math.inf
    ) -> None:
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds
        self._max_held_bytes = max_bytes * bodies_at_a_time
        self._held_bytes = 0
        self._observer = observer

    @contextlib.asynccontextmanager
    async def read(self, request: Request, deadline: Deadline) -> AsyncIterator[bytearray]:
        """Reads a request's body, which counts as held until the context exits.

        Raises:
            InvalidInput: The body has too many bytes or values.
            Overloaded: Other requests hold too many bytes.
            OutOfTime: The deadline passed.
            Cancelled: The caller disconnected.
        """
        self._check_length(request.headers.get("content-length", "0"))
        body = bytearray()
        try:
            await self._read(request, body, deadline)
            self._check_values(body)
            yield body
        finally:
            self._held_bytes -= len(body)

    async def _read(self, request: Request, body: bytearray, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(min(deadline.remaining, self._timeout_seconds)):
                async for chunk in request.stream():
                    self._add(body, chunk)
        except TimeoutError:
            raise OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed while the body was read") from None
        except ClientDisconnect:
            raise caller_left() from None

    def _add(self, body: bytearray, chunk: bytes) -> None:
        """Adds received bytes. Announced bytes do not count, so a caller that sends nothing does not block others."""
        if len(body) + len(chunk) > self._max_bytes:
            raise self._too_large_error()
        if self._held_bytes + len(chunk) > self._max_held_bytes:
            raise self._overload_error()
        self._held_bytes += len(chunk)
        body += chunk

    def _check_length(self, announced: str) -> None:
        # The header only allows to refuse early. `_add` counts the bytes that are received.
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise self._too_large_error()

    def _check_values(self, body: bytearray) -> None:
        # Counting these bytes is far cheaper than parsing, which could fill the memory.
        values, most = (
            sum(body.count(mark) for mark in (b",", b"[", b"{")),
            self._max_bytes // BYTES_PER_VALUE,
        )
        if values > most:
            text = (
                f"the body has about {values} values, but the limit is {most} "
                f"(--max-http-body-bytes / {BYTES_PER_VALUE})"
            )
            raise InvalidInput("TOO_MANY_VALUES", text)

    def _too_large_error(self) -> InvalidInput:
        return InvalidInput(
            BODY_TOO_LARGE, f"the body exceeds the limit of {self._max_bytes} bytes (--max-http-body-bytes)"
        )

    def _overload_error(self) -> Overloaded:
        self._observer.notice(RequestRejected("bodies", "QUEUE_FULL"))
        text = (
            f"the bodies of other requests hold {self._held_bytes} of at most {self._max_held_bytes} bytes; "
            "retry later"
        )
        return Overloaded("QUEUE_FULL", text, retry_after=RETRY_SECONDS)
