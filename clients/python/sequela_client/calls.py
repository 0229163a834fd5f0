"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sequela_client.flows import Call, Flow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """Where a list stands: `request` asks for its next page, whose items lie in `field`."""

    rpc: str
    request: Any
    field: str
    decode: Callable[[Any], T]

    def page(self) -> Flow[tuple[list[T], Listing[T] | None]]:
        """The next page, and the rest of the list (None: there is no more)."""
        answer = yield Call(self.rpc, self.request)
        items = [self.decode(item) for item in getattr(answer, self.field)]
        if not answer.next_page_token:
            return items, None
        request = type(self.request)()
        request.CopyFrom(self.request)
        request.page_token = answer.next_page_token
        return items, Listing(self.rpc, request, self.field, self.decode)
