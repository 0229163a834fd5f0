"""Opens transports to the tests' own servers, and checks what they return and raise."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_network
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sequela.adapters.endpoints.addresses import AddressGuard
from sequela.adapters.endpoints.credentials import Credentials
from sequela.adapters.endpoints.failures import RetryableError
from sequela.adapters.endpoints.transport import Transport
from sequela.adapters.endpoints.transport_factory import open_transport
from sequela.adapters.endpoints.transport_limits import TransportLimits
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.errors import SequelaError
from small_onnx import FLOAT, HALF, INT64, over_events, reduced, same, scoring, value
from waiting import PATIENCE

SCORER = scoring({"events": (FLOAT, ["n", "l", 3])})
STEPS = over_events([reduced("events", "steps", [2])], value("steps", FLOAT, ["n", "l"]))
HALVES = scoring({"events": (HALF, ["n", "l", 3])})
TWO_INPUTS = scoring({"events": (FLOAT, ["n", "l", 3]), "ids": (INT64, ["n", "l"])})
ROWS = np.arange(24, dtype=np.float32).reshape(2, 4, 3) / 24
"""Two rows of four events."""


def mean_of_events(kind: int = FLOAT) -> bytes:
    """Returns the mean event (n, 4), which shows the order of rows and columns."""
    return over_events([reduced("events", "mean", [1]), same("mean", "out")], value("out", kind, ["n", 4]))


def soon(seconds: float = PATIENCE) -> float:
    """Returns a time in the near future, on the monotonic clock."""
    return math.inf if math.isinf(seconds) else time.monotonic() + seconds


def expected(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the scores that SCORER must give."""
    totals = rows.astype(np.float64).mean(axis=(1, 2))
    return np.asarray(1 / (1 + np.exp(-totals / 10)))


def ask(uri: str, **named: Any) -> NDArray[np.float64]:
    """Opens a transport, and returns its answer for two rows."""
    with opened(uri, **named) as transport:
        return transport.infer({"events": ROWS}, "", soon())


@contextmanager
def opened(
    uri: str,
    version: str = "",
    credentials: Credentials | None = None,
    message_bytes: int = 1 << 20,
    connect_seconds: float = 5.0,
    guard: Callable[[EndpointUri], AddressGuard] | None = None,
) -> Iterator[Transport]:
    """Opens a transport, and closes it at the end."""
    where = EndpointUri.parse(uri)
    limits = TransportLimits(message_bytes, connect_seconds)
    watching = guard(where) if guard else None
    transport = open_transport(where, version, credentials or Credentials(), limits, watching)
    with closing(transport):
        yield transport


@contextmanager
def failing(error: type[Exception], reason: str, *words: str) -> Iterator[None]:
    """Asserts that the block raises this error, and that its message contains the words. For a RetryableError, the
    error inside it is checked.
    """
    with pytest.raises(error) as caught:
        yield
    found = caught.value.error if isinstance(caught.value, RetryableError) else caught.value
    assert isinstance(found, SequelaError)
    assert found.reason == reason
    for word in words:
        assert word in found.message
    assert len(found.message) < 400
    assert found.message.isprintable()


class Names:
    """Replaces the resolver. Tests set the addresses of the host models.example; other names resolve to themselves."""

    HOST = "models.example"

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: str, *args: Any, **named: Any) -> list[Any]:
        self.asked.append(host)
        hosts = self.addresses if host == self.HOST else (host,)
        return [found for each in hosts for found in self._real(each, *args, **named)]


def loopback(uri: EndpointUri) -> AddressGuard:
    """Allows addresses of this machine."""
    return AddressGuard(uri, (ip_network("127.0.0.0/8"), ip_network("::1/128")))


def threads() -> set[threading.Thread]:
    """Returns the threads that run now."""
    return set(threading.enumerate())
