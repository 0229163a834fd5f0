"""The calls that a method of a client makes, without the network: the blocking and the asyncio client share them.

An operation is a generator: it yields calls, is sent their decoded gRPC responses, and returns the method's result.
A client drives it, one by blocking and the other by awaiting; a call that fails is thrown into it as a SequelaError.
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
        rpc: the stub and its method, such as `models.GetModel`.
        request: a message, or an iterable of messages for a client stream.
    """

    rpc: str
    request: Any

    @property
    def blocking_request(self) -> Any:
        """The request as gRPC's blocking stubs take it: a message or an iterator."""
        return self.request if isinstance(self.request, Message) else iter(self.request)

    @property
    def failure(self) -> Exception | None:
        """The exception that the caller's own sequences raised while a client stream read them."""
        return self.request.failure if isinstance(self.request, MessageStream) else None


Operation = Generator[Call, Any, T]
"""Yields calls, is sent their responses, and returns a result."""


def call(rpc: str, request: Any, decode: Callable[[Any], T]) -> Operation[T]:
    """An operation of a single call, which returns the decoded response."""
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
        """The items of the next page, and the rest of the list, which is None after the last page."""
        answer = yield Call(self.rpc, self.request)
        items = [self.decode(item) for item in getattr(answer, self.field)]
        if not answer.next_page_token:
            return items, None
        # A new message, since the caller may go through the listing again.
        request = type(self.request)()
        request.CopyFrom(self.request)
        request.page_token = answer.next_page_token
        return items, Listing(self.rpc, request, self.field, self.decode)
