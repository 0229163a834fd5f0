"""Makes the messages of a client stream from the items of a caller."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from sequela_client import arguments

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

    @property
    def is_repeatable(self) -> bool:
        """Whether the items can be read again: a list can, and a generator cannot."""
        return not isinstance(self._items, Iterator | AsyncIterator)

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
