"""Many sequences over one stream: how they are fed to it, what is sent for each, what the answers teach."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import requests
from sequela_client.channel import Deadline
from sequela_client.inputs import SequenceLike
from sequela_client.resources import Outcome, outcome

T = TypeVar("T")

AnyIterable = Iterable[T] | AsyncIterable[T]
"""Async iterables are for the asyncio client only."""


class Feed(Generic[T]):
    """Messages made from a caller's items, after a head. Keeps an error among them, as gRPC swallows it."""

    def __init__(self, items: AnyIterable[T], make: Callable[[T], Any], head: Iterable[Any] = ()) -> None:
        self._items = items
        self._make = make
        self._head = head
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        """For the blocking client."""
        try:
            if not isinstance(self._items, Iterable):
                raise TypeError(f"{type(self._items).__name__} is not iterable here")
            yield from self._head
            yield from map(self._make, self._items)
        except Exception as error:
            self.failure = error
            raise

    async def __aiter__(self) -> AsyncIterator[Any]:
        """For the asyncio client."""
        if not isinstance(self._items, AsyncIterable):
            for message in self:
                yield message
            return
        try:
            for message in self._head:
                yield message
            async for item in self._items:
                yield self._make(item)
        except Exception as error:
            self.failure = error
            raise


@dataclass(slots=True)
class Bulk:
    """One stream. Background values go until an answer tells their digest. `timeout`: seconds for each."""

    model: pb.ModelReference
    background: pb.BackgroundReference | None
    options: pb.ExplainOptions
    timeout: float | None
    _digest: str = field(default="", init=False)

    def message(self, given: SequenceLike) -> pb.ExplainStreamRequest:
        """One question."""
        request = requests.explain(given, self.options)
        request.model.CopyFrom(self.model)
        if self._digest:
            request.background.digest = self._digest
        elif self.background is not None:
            request.background.CopyFrom(self.background)
        message = pb.ExplainStreamRequest(request=request)
        if self.timeout is not None and self.timeout <= Deadline.LONGEST_SECONDS:
            message.timeout.FromNanoseconds(round(self.timeout * 1e9))
        return message

    def outcome(self, response: pb.ExplainStreamResponse) -> Outcome:
        """One answer."""
        answer = outcome(response)
        if answer.explanation and self.background is not None and self.background.HasField("values"):
            self._digest = answer.explanation.background_digest
        return answer
