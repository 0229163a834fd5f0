"""Methods that take the bytes of their requests, and may return those of their responses, instead of messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

_MARK = "takes_bytes"


def takes_bytes(method: Method) -> Method:
    """Marks a method of a servicer whose requests are not parsed. It gets `bytes`, also for each item of a stream."""
    setattr(method, _MARK, True)
    return method


def is_raw(method: Callable[..., Any]) -> bool:
    """Returns whether a method has the mark."""
    return getattr(method, _MARK, False) is True


def serialize_or_pass(serializer: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Returns a serializer that sends answers that are bytes already as they are."""
    return lambda answer: answer if isinstance(answer, bytes) else serializer(answer)
