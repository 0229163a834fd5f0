"""Sends many sequences over one stream, and matches the answers with them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from sequela_proto.v1 import sequela_pb2 as pb

from sequela_client import arguments, requests
from sequela_client.channel import Deadline
from sequela_client.content_digests import column_order
from sequela_client.errors import CallerError
from sequela_client.inputs import SequenceLike
from sequela_client.resources import Outcome, outcome

T = TypeVar("T")

AnyIterable = Iterable[T] | AsyncIterable[T]
"""An async iterable is for the asyncio client only."""


class MessageStream(Generic[T]):
    """An iterable of messages that are made from a caller's items, one by one, as gRPC needs them.

    gRPC replaces an exception of the caller's iterator by its own, so `failure` keeps the original.

    Args:
        items: an iterable, or an async iterable for the asyncio client.
        make: makes a message from the number of an item and the item; returns None to send nothing.
        head: the messages that are sent before the items.
    """

    def __init__(
        self, items: AnyIterable[T], make: Callable[[int, T], Any], head: Iterable[Any] = ()
    ) -> None:
        self._items = arguments.sequence_list(items)
        self._make = make
        self._head = head
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        """The messages, for the blocking client."""
        try:
            if not isinstance(self._items, Iterable):
                raise TypeError(
                    f"sequences: {type(self._items).__name__} is an async iterable; use AsyncSequela"
                )
            yield from self._head
            for number, item in enumerate(self._items):
                message = self._make(number, item)
                if message is not None:
                    yield message
        except Exception as error:
            self.failure = error
            raise

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The messages, for the asyncio client."""
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
    """The state of one stream of explanations.

    Background values are sent with every sequence until an answer has their digest, which is sent from then on. Each
    order of columns has its own digest. If a sequence cannot be sent, only that sequence fails, as if the server had
    refused it.

    Args:
        model: the model of all sequences.
        background: their background; None: the model's default.
        options: their options.
        timeout: seconds for each of them; None: no limit.
    """

    model: pb.ModelReference
    background: pb.BackgroundReference | None
    options: pb.ExplainOptions
    timeout: float | None
    _digests: dict[Any, str] = field(default_factory=dict, init=False)
    _sent: list[tuple[int, Any]] = field(default_factory=list, init=False)
    _refused: deque[Outcome] = field(default_factory=deque, init=False)

    def message(self, number: int, given: SequenceLike) -> pb.ExplainStreamRequest | None:
        """Returns the message for one sequence; None if the sequence cannot be sent."""
        try:
            request = arguments.convert_item("sequences", number, self._request, given)
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
        # A message without its own timeout may use all of the time that is left to the stream.
        if self.timeout is not None and self.timeout <= Deadline.LONGEST_SECONDS:
            message.timeout.FromNanoseconds(round(self.timeout * 1e9))
        return message

    def _request(self, given: SequenceLike) -> pb.ExplainRequest:
        return requests.explain(given, self.options)

    def outcomes(self, response: pb.ExplainStreamResponse) -> Iterator[Outcome]:
        """Yields the outcome of one response, after those of earlier sequences that were not sent."""
        # The server counts the messages that it received, which are fewer than the sequences if some could not be sent.
        number, order = self._sent[response.index]
        names = pb.Sequence(inputs=[pb.InputTensor(name=name) for name, *_ in order])
        answer = outcome(response, pb.ExplainRequest(sequence=names, background=self.background))
        yield from self._refused_before(number)
        # From now on the digest is enough; the values of a background may be large.
        if answer.explanation and self.background is not None and self.background.HasField("values"):
            self._digests[order] = answer.explanation.background_digest
        yield replace(answer, index=number)

    def rest(self) -> Iterator[Outcome]:
        """Yields the outcomes that are left once the stream has ended."""
        while self._refused:
            yield self._refused.popleft()

    def _refused_before(self, number: int) -> Iterator[Outcome]:
        while self._refused and self._refused[0].index < number:
            yield self._refused.popleft()
