"""Bodies of requests: so many bytes each, and so many of all that are held at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from sequela.api.rest.request import gone
from sequela.api.rest.responses import TOO_LARGE
from sequela.concurrency.deadline import Deadline
from sequela.errors import InvalidInput, OutOfTime, Overloaded
from sequela.explain.ports import Observer
from sequela.explain.telemetry import RequestRejected

LEAST_BYTES = 8
"""Bytes of the limit that each value of JSON counts for at least: in memory it takes several times as many."""

RETRY_AFTER = 1.0
"""When callers that found no room may come again, in seconds."""


class Bodies:
    """Reads bodies of at most `most` bytes, and holds `at_a_time` of that size, or more that are smaller. Used from
    one event loop.
    """

    def __init__(self, most: int, at_a_time: int, observer: Observer) -> None:
        self._most = most
        self._executor = most * at_a_time
        self._held = 0
        self._observer = observer

    @contextlib.asynccontextmanager
    async def held(self, request: Request, deadline: Deadline) -> AsyncIterator[bytearray]:
        """A request's body, for which there is room as long as the context lasts.

        Raises InvalidInput for too many bytes or values, Overloaded where there is no room, OutOfTime, and Cancelled
        when the caller leaves.
        """
        self._check_length(request.headers.get("content-length", "0"))
        body = bytearray()
        try:
            await self._read(request, body, deadline)
            self._check_values(body)
            yield body
        finally:
            self._held -= len(body)

    async def _read(self, request: Request, body: bytearray, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline.remaining):
                async for chunk in request.stream():
                    self._add(body, chunk)
        except TimeoutError:
            raise OutOfTime("DEADLINE_TOO_SHORT", "the deadline passed while the body was read") from None
        except ClientDisconnect:
            raise gone() from None

    def _add(self, body: bytearray, chunk: bytes) -> None:
        """Executor is taken by what has come, not by what was announced: who sends nothing holds nothing."""
        if len(body) + len(chunk) > self._most:
            raise self._too_large()
        if self._held + len(chunk) > self._executor:
            raise self._full()
        self._held += len(chunk)
        body += chunk

    def _check_length(self, announced: str) -> None:
        if announced.isdigit() and int(announced) > self._most:
            raise self._too_large()

    def _check_values(self, body: bytearray) -> None:
        values, most = sum(body.count(mark) for mark in (b",", b"[", b"{")), self._most // LEAST_BYTES
        if values > most:
            raise InvalidInput(
                "TOO_MANY_VALUES", f"the body holds about {values} values, the limit is {most}"
            )

    def _too_large(self) -> InvalidInput:
        return InvalidInput(TOO_LARGE, f"the body is longer than {self._most} bytes")

    def _full(self) -> Overloaded:
        self._observer.notice(RequestRejected("bodies", "QUEUE_FULL"))
        text = f"requests under way hold {self._held} bytes, the limit is {self._executor}"
        return Overloaded("QUEUE_FULL", text, retry_after=RETRY_AFTER)
