"""Transports to the tests' own servers, and what they raise."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest
from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.limits import TransportLimits
from sequela.adapters.endpoints.opening import open_transport
from sequela.adapters.endpoints.transport import Transport
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.errors import SequelaError
from sequela.explaining.ports import TryAgain
from small_onnx import FLOAT, INT64, over_events, reduced, same, scoring, value

PATIENCE = 60.0
"""Seconds that no healthy machine needs."""
SCORER = scoring({"events": (FLOAT, ["n", "l", 3])})
TWO_INPUTS = scoring({"events": (FLOAT, ["n", "l", 3]), "ids": (INT64, ["n", "l"])})
ROWS = np.arange(24, dtype=np.float32).reshape(2, 4, 3) / 24
"""Two rows of four events."""


def mean_of_events(kind: int = FLOAT) -> bytes:
    """The mean event (n, 4), so that the order of rows and columns shows."""
    return over_events([reduced("events", "mean", [1]), same("mean", "out")], value("out", kind, ["n", 4]))


def soon(seconds: float = PATIENCE) -> float:
    """A time on the monotonic clock."""
    return math.inf if math.isinf(seconds) else time.monotonic() + seconds


@contextmanager
def opened(
    uri: str,
    version: str = "",
    credentials: Credentials | None = None,
    message_bytes: int = 1 << 20,
    guard: Callable[[EndpointUri], AddressGuard] | None = None,
) -> Iterator[Transport]:
    """A transport, closed at the end."""
    where = EndpointUri.parse(uri)
    limits = TransportLimits(message_bytes, connect_seconds=5.0)
    watching = guard(where) if guard else None
    transport = open_transport(where, version, credentials or Credentials(), limits, watching)
    with closing(transport):
        yield transport


@contextmanager
def failing(error: type[Exception], reason: str, *words: str) -> Iterator[None]:
    """The block raises this error, whose message holds the words; TryAgain carries its own."""
    with pytest.raises(error) as caught:
        yield
    found = caught.value.error if isinstance(caught.value, TryAgain) else caught.value
    assert isinstance(found, SequelaError)
    assert found.reason == reason
    for word in words:
        assert word in found.message
    assert len(found.message) < 400
    assert found.message.isprintable()


def eventually(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def threads() -> set[threading.Thread]:
    """Those that run now."""
    return set(threading.enumerate())
