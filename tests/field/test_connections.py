"""How callers reach a server: addresses, proxies, timeouts, clients that are closed."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from field.asking import SEQUENCE
from field.parts import built, pooled
from sequela_client import AsyncSequela, CallerError, Sequela, TryAgain
from serving import Serving

NODES, STORED = pooled("x")
NOWHERE = "http://127.0.0.1:9"


class Refused(Exception):
    """The address is refused as such."""


def scored_or_refused(address: str, model: str) -> float:
    try:
        return score(address, model)
    except CallerError as error:
        if error.reason != "ADDRESS_INVALID":
            raise
    raise Refused


@pytest.fixture(scope="module")
def model(server: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registered model."""
    path = tmp_path_factory.mktemp("pooled") / "model.onnx"
    path.write_bytes(built(NODES, STORED))
    with Sequela(server.bound.grpc) as client:
        yield client.register_model(path).name


def score(address: str, model: str, **how: Any) -> float:
    with Sequela(address, **{"timeout": 20, **how}) as client:
        return float(client.score(SEQUENCE, model=model).values[0, 0])


# needs: machine, grpc/grpc#29718, #15942, #9989: with a company's proxy set, "no server answers at localhost" before.
@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_no_proxy_stands_before_this_machine(
    server: Serving, model: str, monkeypatch: pytest.MonkeyPatch, variable: str, host: str
) -> None:
    """A server on this machine is asked directly."""
    monkeypatch.setenv(variable, NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    port = server.bound.grpc.rsplit(":", 1)[1]
    assert 0 < score(f"{host}:{port}", model) < 1


# needs: machine, the same. Before: "is `sequela serve` running there?" alone.
def test_a_proxy_that_was_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """For other hosts gRPC asks the proxy: the message says by which variable."""
    monkeypatch.setenv("https_proxy", NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(TryAgain, match="https_proxy"):
        score("models.invalid:50051", "m", timeout=5)


# needs: machine, addresses as browsers and other clients write them. Before: "no server answers".
# chirpstack/chirpstack-docker#113, telepresenceio/telepresence#1871, grpc/grpc#23273
@pytest.mark.parametrize(
    "form", ["http://localhost:{}", "https://localhost:{}", "grpc://localhost:{}", " localhost:{} "]
)
def test_addresses_as_people_write_them(server: Serving, model: str, form: str) -> None:
    """Taken, or refused when the client is made, with what to write."""
    address = form.format(server.bound.grpc.rsplit(":", 1)[1])
    with contextlib.suppress(Refused):
        assert 0 < scored_or_refused(address, model) < 1


@pytest.mark.parametrize("timeout", [math.inf, 1e12, None, np.float64(20), 20])
def test_timeouts_that_are_none(server: Serving, model: str, timeout: Any) -> None:
    """Infinity is no limit, and so is a million years; before, both had passed at once."""
    assert 0 < score(server.bound.grpc, model, timeout=timeout) < 1
    with Sequela(server.bound.grpc) as client:
        answers = list(client.explain_many([SEQUENCE], model=model, background=np.zeros(3), timeout=timeout))
    assert answers[0].error is None


# needs: arrays, what is no number of seconds. Before: nan had passed at once, -1 was answered, others were a TypeError.
@pytest.mark.parametrize("timeout", [math.nan, -1, "soon", timedelta(seconds=5)])
def test_timeouts_that_are_no_seconds(server: Serving, model: str, timeout: Any) -> None:
    """Refused, with the value."""
    with (
        Sequela(server.bound.grpc) as client,
        pytest.raises(CallerError, match=r"timeout: .*seconds"),
    ):
        client.score(SEQUENCE, model=model, timeout=timeout)


def test_a_closed_client_says_so(server: Serving, model: str) -> None:
    """Before: a ValueError, "Cannot invoke RPC on closed channel"."""
    client = Sequela(server.bound.grpc)
    client.close()
    with pytest.raises(CallerError, match="closed"):
        client.score(SEQUENCE, model=model)


def test_a_closed_asynchronous_client_says_so(server: Serving, model: str) -> None:
    """The same to await."""

    async def use() -> None:
        client = AsyncSequela(server.bound.grpc)
        await client.close()
        await client.score(SEQUENCE, model=model)

    with pytest.raises(CallerError, match="closed"):
        asyncio.run(use())
