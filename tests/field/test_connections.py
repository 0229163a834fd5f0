"""How callers reach a server: addresses, proxies, timeouts, clients that are closed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from field.asking import SEQUENCE
from field.parts import built, pooled
from sequela_client import AsyncSequela, CallerError, Sequela, TryAgain
from sequela_client.addresses import PROXY_VARIABLES, is_loopback, target
from serving import Serving

NODES, STORED = pooled("x")
NOWHERE = "http://127.0.0.1:9"


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


@pytest.mark.parametrize("variable", PROXY_VARIABLES)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "dns:///localhost"])
def test_no_proxy_stands_before_this_machine(
    server: Serving, model: str, monkeypatch: pytest.MonkeyPatch, variable: str, host: str
) -> None:
    """grpc/grpc#29718, #15942, #9989: with a company's proxy set, "no server answers at localhost" before."""
    monkeypatch.setenv(variable, NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    port = server.bound.grpc.rsplit(":", 1)[1]
    assert 0 < score(f"{host}:{port}", model) < 1


def test_a_proxy_that_was_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """For other hosts gRPC asks the proxy: the message says by which variable."""
    monkeypatch.setenv("https_proxy", NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(TryAgain, match=r"https_proxy sends gRPC through a proxy.*no_proxy"):
        score("models.invalid:50051", "m", timeout=5)
    monkeypatch.delenv("https_proxy")
    with pytest.raises(TryAgain) as caught:
        score("localhost:1", "m", timeout=5)
    assert "proxy" not in str(caught.value)


@pytest.mark.parametrize("form", ["localhost:{}", " localhost:{} ", "localhost:{}/", "dns:///localhost:{}"])
def test_addresses_as_people_write_them(server: Serving, model: str, form: str) -> None:
    """Blanks and a slash at the end do no harm."""
    assert 0 < score(form.format(server.bound.grpc.rsplit(":", 1)[1]), model) < 1


@pytest.mark.parametrize("scheme", ["http", "https", "grpc", "grpcs", "HTTP", "tcp"])
def test_schemes_of_other_protocols(scheme: str) -> None:
    """chirpstack/chirpstack-docker#113, telepresenceio/telepresence#1871: "no server answers" before."""
    with pytest.raises(CallerError, match=r"leave out .*give host:port") as caught:
        Sequela(f"{scheme}://localhost:50051")
    assert ("secure=True" in str(caught.value)) == scheme.lower().endswith("s")


def test_targets() -> None:
    """What gRPC is given; the server's port where there is none."""
    assert target("localhost") == "localhost:50051"
    assert target("[::1]") == "[::1]:50051"
    assert target("unix:/run/sequela.sock") == "unix:/run/sequela.sock"
    assert target("dns:///a.example:1") == "dns:///a.example:1"
    here = ("localhost:1", "127.0.0.1:1", "127.1.2.3", "[::1]:1", "dns:///localhost:1", "ipv4:127.0.0.1:1")
    assert all(map(is_loopback, here))
    there = ("localhost.example:1", "10.0.0.1:1", "127.0.0.1.example", "dns:///a.example:1", "mylocalhost:1")
    assert not any(map(is_loopback, there))


@pytest.mark.parametrize("timeout", [math.inf, 1e12, None, np.float64(20), 20])
def test_timeouts_that_are_none(server: Serving, model: str, timeout: Any) -> None:
    """Infinity is no limit, and so is a million years; before, both had passed at once."""
    assert 0 < score(server.bound.grpc, model, timeout=timeout) < 1
    with Sequela(server.bound.grpc) as client:
        answers = list(client.explain_many([SEQUENCE], model=model, background=np.zeros(3), timeout=timeout))
    assert answers[0].error is None


@pytest.mark.parametrize("timeout", [math.nan, -1, "soon", timedelta(seconds=5)])
def test_timeouts_that_are_no_seconds(server: Serving, model: str, timeout: Any) -> None:
    """Refused, with the value; before, nan had passed at once, -1 was answered, and others were a TypeError."""
    with (
        Sequela(server.bound.grpc) as client,
        pytest.raises(CallerError, match=r"timeout: .*number of seconds"),
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
