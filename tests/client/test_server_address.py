"""Addresses as people write them."""

from __future__ import annotations

import pytest
from sequela_client import CallerError, Retries, Sequela
from sequela_client.server_address import ServerAddress
from serving import Serving, embedded


@pytest.mark.parametrize(
    ("text", "target", "host", "port"),
    [
        ("localhost", "localhost:50051", "localhost", 50051),
        (" sequela.bank.example:7000 ", "sequela.bank.example:7000", "sequela.bank.example", 7000),
        ("::1", "[::1]:50051", "::1", 50051),
        ("[::1]", "[::1]:50051", "::1", 50051),
        ("[fe80::1]:7000", "[fe80::1]:7000", "fe80::1", 7000),
        ("unix:sequela.sock", "unix:sequela.sock", "", 0),
        ("dns:///sequela:7000", "dns:///sequela:7000", "", 0),
    ],
)
def test_forms(text: str, target: str, host: str, port: int) -> None:
    """Hosts with and without a port, IPv6 with and without brackets, and gRPC's own forms."""
    found = ServerAddress.parse(text)
    assert (found.target, found.host, found.port) == (target, host, port)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("http://localhost:50051", "write localhost:50051, without a scheme"),
        ("grpcs://sequela:50051/", "write sequela:50051, without a scheme"),
        ("localhost:", "the port must be a number from 1 to 65535, not ''"),
        ("localhost:grpc", "the port must be a number from 1 to 65535, not 'grpc'"),
        ("localhost:70000", "must be a number from 1 to 65535"),
    ],
)
def test_what_is_none(text: str, said: str) -> None:
    """Refused when the client is made, with what to write."""
    with pytest.raises(CallerError, match=said) as error:
        Sequela(text)
    assert error.value.reason == "ADDRESS_INVALID"


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_a_proxy_does_not_lead_to_this_machine(
    server: Serving, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A server here is asked directly, by any of its names; others by the proxy, which an error then names."""
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    port = server.bound.grpc.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        with Sequela(f"{host}:{port}", timeout=20) as sequela:
            list(sequela.models())
    assert ServerAddress.parse("sequela.example").proxy == variable
    with (
        Sequela("sequela.example", retries=Retries(attempts=1), timeout=20) as sequela,
        pytest.raises(Exception, match=f"{variable} is set"),
    ):
        list(sequela.models())


def test_ipv6_alone() -> None:
    """A server on IPv6's loopback address, by the address that it says it listens on, and without brackets."""
    with Serving(embedded(host="::1", http_host="::1")) as server:
        port = server.bound.grpc.rpartition(":")[2]
        assert server.bound.grpc == f"[::1]:{port}"
        with Sequela(server.bound.grpc, timeout=20) as sequela:
            assert list(sequela.models()) == []
