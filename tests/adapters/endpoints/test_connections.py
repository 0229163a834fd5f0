"""What holds for every transport before a call is sent: connections that never stand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from sequela.adapters.endpoints.failures import RetryableError
from sequela.concurrency.deadline import DeadlinePassed
from transports import ROWS, failing, loopback, opened, soon
from waiting import PATIENCE

ROUTES = ["grpc://{}/m", "grpcs://{}/m", "https://{}/v2/models/m", "https://{}/v1/models/m"]


@pytest.fixture
def silent() -> Iterator[str]:
    """host:port of a server that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("route", ROUTES)
def test_a_handshake_that_never_ends(silent: str, route: str) -> None:
    """Is given up when connecting takes too long, while the call still has time: it may be sent elsewhere."""
    with (
        opened(route.format(silent), connect_seconds=0.1) as transport,
        failing(RetryableError, "ENDPOINT_UNAVAILABLE"),
    ):
        transport.infer({"events": ROWS}, "", soon(15.0))  # less than gRPC's own patience


@pytest.mark.parametrize("route", ["grpc://{}:1/m", "http://{}:1/v2/models/m"])
def test_a_name_that_is_never_looked_up(monkeypatch: pytest.MonkeyPatch, route: str) -> None:
    """Is given up when connecting takes too long, or with the call's own time where that is sooner."""
    free = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: free.wait(PATIENCE) and [])
    uri = route.format("models.example")
    with (
        opened(uri, connect_seconds=0.05, guard=loopback) as transport,
        failing(RetryableError, "ENDPOINT_UNAVAILABLE", "not looked up in time"),
    ):
        transport.infer({"events": ROWS}, "", soon())
    with opened(uri, connect_seconds=60.0, guard=loopback) as transport, pytest.raises(DeadlinePassed):
        transport.infer({"events": ROWS}, "", soon(0.05))
    free.set()


@pytest.mark.parametrize("route", [*ROUTES, "http://{}/v2/models/m"])
def test_the_calls_time_counts_while_connecting(silent: str, route: str) -> None:
    """A call that has less time than connecting may take ends with its time; nobody is ready then."""
    with opened(route.format(silent), connect_seconds=60.0) as transport:
        with pytest.raises(DeadlinePassed):
            transport.describe(soon(0.1))
        assert not transport.ready(soon(0.1))
