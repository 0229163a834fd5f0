"""Reads the caller's sequences for a stream, one by one, as gRPC needs them. A stream that broke loses none of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import arguments
from sequela_client.explanation_stream import ExplanationStream
from sequela_client.inputs import SequenceLike
from sequela_client.streams import AnyIterable


class SequenceReader:
    """Reads an iterable in gRPC's threads.

    gRPC replaces an exception of the caller's iterator by its own, so `failure` keeps the original.

    Args:
        sequences: the caller's sequences.
        state: the stream that they are added to.
    """

    def __init__(self, sequences: Iterable[SequenceLike], state: ExplanationStream) -> None:
        self._given: Any = arguments.sequence_list(sequences)
        self._state = state
        self._items: Iterator[tuple[int, SequenceLike]] | None = None
        # The thread of a stream that broke may still wait for the next item.
        self._lock = threading.Lock()
        self._ended = False
        self.failure: Exception | None = None

    def messages(self, first: int) -> Iterator[pb.ExplainStreamRequest]:
        """The messages of a stream from a place on: those without an answer, and then those that are read."""
        place = first
        while (message := self._message(place)) is not None:
            yield message
            place += 1

    def _message(self, place: int) -> pb.ExplainStreamRequest | None:
        with self._lock:
            # A stream that was given up must not read on.
            if place < self._state.answered:
                return None
            while place >= self._state.added and not self._ended:
                self._read()
            return self._state.message(place) if place < self._state.added else None

    def _read(self) -> None:
        try:
            if self._items is None:
                self._items = enumerate(_iterable(self._given))
            number, item = next(self._items)
            self._state.add(number, item)
        except StopIteration:
            self._ended = True
        except Exception as error:
            self._ended, self.failure = True, error
            raise


def _iterable(given: Any) -> Iterable[SequenceLike]:
    if not isinstance(given, Iterable):
        raise TypeError(f"sequences: {type(given).__name__} is an async iterable; use AsyncSequela")
    return given


class AsyncSequenceReader:
    """Reads an iterable or an async iterable in the event loop.

    One task reads all of it, since a caller's generator may not be resumed by another task. `failure` is the exception
    of the caller's iterator.

    Args:
        sequences: the caller's sequences.
        state: the stream that they are added to.
    """

    def __init__(self, sequences: AnyIterable[SequenceLike], state: ExplanationStream) -> None:
        self._given: Any = arguments.sequence_list(sequences)
        self._state = state
        self._wanted, self._changed = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self.failure: Exception | None = None

    async def messages(self, first: int) -> AsyncIterator[pb.ExplainStreamRequest]:
        """The messages of a stream from a place on: those without an answer, and then those that are read."""
        place = first
        while True:
            while place >= self._state.added and not self._ended:
                await self._next()
            if self.failure is not None and place >= self._state.added:
                raise self.failure
            if place >= self._state.added:
                return
            yield self._state.message(place)
            place += 1

    def close(self) -> None:
        """Ends the reading."""
        if self._task is not None:
            self._task.cancel()

    async def _next(self) -> None:
        self._changed.clear()
        self._wanted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._read())
        await self._changed.wait()

    async def _read(self) -> None:
        number = 0
        try:
            await self._wanted.wait()
            async for item in _async_iterable(self._given):
                self._wanted.clear()
                self._state.add(number, item)
                number += 1
                self._changed.set()
                await self._wanted.wait()
        except Exception as error:
            self.failure = error
        finally:
            self._ended = True
            self._changed.set()


async def _async_iterable(given: Any) -> AsyncIterator[SequenceLike]:
    if isinstance(given, AsyncIterable):
        async for item in given:
            yield item
        return
    for item in given:
        yield item
