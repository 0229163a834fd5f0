"""The gRPC calls that each method of a client makes, written once for the blocking and the asyncio client.

An operation is a generator that yields calls, receives their responses, and returns the result of the method. It does
not touch the network: the blocking client makes each call and waits, and the asyncio client awaits it. If a call fails,
the client throws a SequelaError into the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from sequela_client.streams import MessageStream

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One gRPC call.

    Args:
        rpc: the name of the stub and of its method, such as `models.GetModel`.
        request: a message, or an iterable of messages for a client stream.
    """

    rpc: str
    request: Any

    @property
    def blocking_request(self) -> Any:
        """The request as gRPC's blocking stubs take it: a message or an iterator."""
        return self.request if isinstance(self.request, Message) else iter(self.request)

    @property
    def is_repeatable(self) -> bool:
        """Whether the request can be sent again: one message, or a stream whose messages can be made again."""
        if isinstance(self.request, MessageStream):
            return self.request.is_repeatable
        return isinstance(self.request, Message | list)

    @property
    def failure(self) -> Exception | None:
        """The exception that the caller's own sequences raised while a client stream read them."""
        return self.request.failure if isinstance(self.request, MessageStream) else None


Operation = Generator[Call, Any, T]
"""A generator that yields calls, receives their responses, and returns a result."""


def call(rpc: str, request: Any, decode: Callable[[Any], T]) -> Operation[T]:
    """Makes a single call, and returns its decoded response."""
    return decode((yield Call(rpc, request)))


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that the server sends in pages.

    Args:
        rpc: the stub and its method.
        request: the request for the next page.
        field: the field of the response that holds the items.
        decode: makes an item from its message.
    """

    rpc: str
    request: Any
    field: str
    decode: Callable[[Any], T]

    def page(self) -> Operation[tuple[list[T], Listing[T] | None]]:
        """Returns the items of the next page, and the rest of the list, which is None after the last page."""
        answer = yield Call(self.rpc, self.request)
        items = [self.decode(item) for item in getattr(answer, self.field)]
        if not answer.next_page_token:
            return items, None
        # A new message, since the caller may go through the listing again.
        request = type(self.request)()
        request.CopyFrom(self.request)
        request.page_token = answer.next_page_token
        return items, Listing(self.rpc, request, self.field, self.decode)
