"""Many sequences over one stream: how they are fed to it, what is sent for each, what the answers teach."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import requests
from sequela_client.channel import Deadline
from sequela_client.content_digests import column_order
from sequela_client.errors import CallerError
from sequela_client.inputs import SequenceLike
from sequela_client.resources import Outcome, outcome

T = TypeVar("T")

AnyIterable = Iterable[T] | AsyncIterable[T]
"""Async iterables are for the asyncio client only."""


class MessageStream(Generic[T]):
    """Messages made from a caller's items, after a head. Keeps an error among them, as gRPC swallows it.

    `make`: a message from an item and its number, or None, which sends nothing.
    """

    def __init__(
        self, items: AnyIterable[T], make: Callable[[int, T], Any], head: Iterable[Any] = ()
    ) -> None:
        self._items = requests.several(items)
        self._make = make
        self._head = head
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        """For the blocking client."""
        try:
            if not isinstance(self._items, Iterable):
                raise TypeError(f"{type(self._items).__name__} is not iterable here")
            yield from self._head
            for number, item in enumerate(self._items):
                message = self._make(number, item)
                if message is not None:
                    yield message
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
            number = 0
            async for item in self._items:
                message = self._make(number, item)
                number += 1
                if message is not None:
                    yield message
        except Exception as error:
            self.failure = error
            raise


@dataclass(slots=True)
class ExplanationStream:
    """One stream. Background values go until an answer tells their digest, for each order of columns. `timeout`:
    seconds for each.

    A sequence of which no question can be made fails alone, as one that the server refuses.
    """

    model: pb.ModelReference
    background: pb.BackgroundReference | None
    options: pb.ExplainOptions
    timeout: float | None
    _digests: dict[Any, str] = field(default_factory=dict, init=False)
    _sent: list[tuple[int, Any]] = field(default_factory=list, init=False)
    _refused: deque[Outcome] = field(default_factory=deque, init=False)

    def message(self, number: int, given: SequenceLike) -> pb.ExplainStreamRequest | None:
        """One question; None where there is none to ask."""
        try:
            request = requests.numbered("sequences", number, self._question, given)
        except CallerError as error:
            self._refused.append(Outcome(number, None, error))
            return None
        order = column_order(request.sequence)
        self._sent.append((number, order))
        request.model.CopyFrom(self.model)
        if order in self._digests:
            request.background.digest = self._digests[order]
        elif self.background is not None:
            request.background.CopyFrom(self.background)
        message = pb.ExplainStreamRequest(request=request)
        if self.timeout is not None and self.timeout <= Deadline.LONGEST_SECONDS:
            message.timeout.FromNanoseconds(round(self.timeout * 1e9))
        return message

    def _question(self, given: SequenceLike) -> pb.ExplainRequest:
        return requests.explain(given, self.options)

    def outcomes(self, response: pb.ExplainStreamResponse) -> Iterator[Outcome]:
        """One answer, after those of the sequences before it that were not sent."""
        answer = outcome(response)
        number, order = self._sent[answer.index]
        yield from self._refused_before(number)
        if answer.explanation and self.background is not None and self.background.HasField("values"):
            self._digests[order] = answer.explanation.background_digest
        yield replace(answer, index=number)

    def rest(self) -> Iterator[Outcome]:
        """What is left once the stream has ended."""
        while self._refused:
            yield self._refused.popleft()

    def _refused_before(self, number: int) -> Iterator[Outcome]:
        while self._refused and self._refused[0].index < number:
            yield self._refused.popleft()
