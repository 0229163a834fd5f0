"""Endpoints that requests name: what the operator's list and networks let through, and nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from sequela.adapters.endpoints.addresses import (
    AddressGuard,
    embedded_addresses,
    is_public,
    look_up,
    open_guard,
)
from sequela.adapters.endpoints.allow_list import AllowList
from sequela.adapters.endpoints.uri import EndpointUri
from sequela.errors import Forbidden

MODELS = ["grpc://*.models.example:8001/*", "https://rest.example/v2/models/fraud-*", "grpcs://*:*/m"]


def allowed(text: str, patterns: Sequence[str] = MODELS, networks: Sequence[str] = ()) -> bool:
    try:
        AllowList(patterns, networks).check(EndpointUri.parse(text))
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "grpc://a.models.example:8001/anything",
        "grpc://A.B.MODELS.example:8001/anything",
        "https://rest.example/v2/models/fraud-2",
        "https://rest.example:443/v2/models/fraud-2",
        "grpcs://whatever:99/m",
    ],
)
def test_allowed(text: str) -> None:
    """Each part matches its part of one pattern."""
    assert allowed(text)


@pytest.mark.parametrize(
    "text",
    [
        "grpcs://a.models.example:8001/x",  # another scheme
        "grpc://a.models.example:8002/x",  # another port
        "grpc://models.example:8001/x",  # no label before it
        "grpc://evil.example:8001/x.models.example",  # the host's pattern does not reach into the path
        "grpc://a.models.example.evil:8001/x",
        "grpc://aXmodelsXexample:8001/x",  # a dot is a dot
        "https://rest.example/v1/models/fraud-2",
        "https://rest.example:8443/v2/models/fraud-2",
        "https://rest.example/v2/models/other",
        "grpcs://whatever:99/n",
    ],
)
def test_not_on_the_list(text: str) -> None:
    """One part that matches no pattern is enough to be refused."""
    assert not allowed(text)


def test_a_refusal_names_the_field() -> None:
    """And the endpoint, so that the operator knows what to add."""
    with pytest.raises(Forbidden) as caught:
        AllowList([], []).check(EndpointUri.parse("grpc://models.example:8001/x"))
    assert caught.value.reason == "ENDPOINT_NOT_ALLOWED"
    assert [violation.field for violation in caught.value.violations] == ["model.endpoint.uri"]
    assert "grpc://models.example:8001/x" in caught.value.message


def test_an_empty_list_allows_nothing() -> None:
    """Without patterns no request may name an endpoint."""
    assert not allowed("grpc://a.models.example:8001/x", patterns=[])


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "grpc://*",
        "grpc://h/m",
        "file://h/x",
        "*://h:1/m",
        "grpc://u@h:1/m",
        "http://h/m?x",
        "grpc://h:0/m",
    ],
)
def test_bad_patterns(pattern: str) -> None:
    """What is no pattern is refused when the server starts, and named."""
    with pytest.raises(ValueError, match="is not an endpoint pattern"):
        AllowList([pattern], [])


@pytest.mark.parametrize(
    "pattern", ["grpc://10.0.*:8001/*", "grpc://models.*:8001/*", "grpc://models*:8001/*"]
)
def test_the_end_of_a_host_is_written_out(pattern: str) -> None:
    """`10.0.*` would match 10.0.example.com: networks are for that."""
    with pytest.raises(ValueError, match="must not end"):
        AllowList([pattern], [])


@pytest.mark.parametrize("network", ["", "10.0.0.0/33", "10.0.0.1/8", "models.example"])
def test_bad_networks(network: str) -> None:
    """What is no network is refused when the server starts."""
    with pytest.raises(ValueError, match=r"does not appear to be|has host bits set"):
        AllowList([], [network])


PRIVATE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "127.8.9.1", "0.1.2.3", "192.0.2.1",
    "198.18.0.1", "240.0.0.1", "255.255.255.255", "[::1]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]",
    "[2001:db8::1]", "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]", "[2002:0a00:0001::]", "[2002:7f00:0001::1]",
    "[64:ff9b::10.0.0.1]", "[64:ff9b:1::10.0.0.1]", "[::10.0.0.1]", "[4000::1]",
    "[2001:0:a00:1::5db8:d822]", "[2001:0:808:808::f5ff:fffe]",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "169.254.0.1", "[fe80::1]", "[::ffff:169.254.169.254]", "[64:ff9b::169.254.169.254]",
    "[2002:a9fe:a9fe::]", "224.0.1.1", "[ff0e::1]", "[::ffff:224.0.1.1]", "0.0.0.0", "[::]", "[::ffff:0.0.0.0]",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "[2001:4860:4860::8888]", "[::ffff:8.8.8.8]", "[2002:0808:0808::]", "[64:ff9b::8.8.8.8]"]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses(host: str) -> None:
    """Refused, in whatever form they come, until the operator lists every network: then let through."""
    assert not allowed(f"grpcs://{host}:1/m")
    assert allowed(f"grpcs://{host}:1/m", networks=["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize("host", NEVER)
def test_addresses_that_no_network_lets_through(host: str) -> None:
    """Link-local (a cloud's metadata), multicast and unspecified addresses stay refused; the operator's own too."""
    assert not allowed(f"grpcs://{host}:1/m", networks=["0.0.0.0/0", "::/0"])
    with pytest.raises(Forbidden):
        open_guard(EndpointUri.parse(f"grpc://{host}:1/m")).check_literal()


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses(host: str) -> None:
    """What anybody on the internet can reach needs no network."""
    assert allowed(f"grpcs://{host}:1/m")


def test_networks_are_held_against_the_address_inside() -> None:
    """A mapped IPv4 address is in the IPv4 network, and one network lets nothing else through."""
    assert allowed("grpcs://[::ffff:10.1.2.3]:1/m", networks=["10.1.0.0/16"])
    assert not allowed("grpcs://[::ffff:10.2.2.3]:1/m", networks=["10.1.0.0/16"])
    assert not allowed("grpcs://[::ffff:10.1.2.3]:1/m", networks=["::/0"])


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name has these addresses: no name server of ours could be made to say so."""

    def answer(host: str, port: int, *args: Any, **named: Any) -> list[Any]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def guard(*networks: str) -> AddressGuard:
    return AllowList(MODELS, networks).check(EndpointUri.parse("grpc://a.models.example:8001/m"))


def test_a_name_with_public_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses come back each once, in the resolver's order."""
    resolving(monkeypatch, "8.8.8.8", "2001:4860:4860::8888", "8.8.8.8")
    assert guard().look_up(None) == ("8.8.8.8", "2001:4860:4860::8888")


@pytest.mark.parametrize(
    "bad", ["10.0.0.7", "127.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.7", "169.254.169.254"]
)
def test_a_name_with_a_private_address(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    """One such address among good ones is enough, and the error does not tell which it is."""
    resolving(monkeypatch, "8.8.8.8", bad)
    with pytest.raises(Forbidden) as caught:
        guard("10.9.0.0/16").look_up(None)
    assert caught.value.reason == "ENDPOINT_NOT_ALLOWED"
    assert caught.value.violations[0].field == "model.endpoint.uri"
    assert "an address that is not public" in caught.value.message
    assert bad.partition("%")[0] not in caught.value.message


def test_a_real_name() -> None:
    """localhost is private here as everywhere, unless loopback is listed."""
    uri = EndpointUri.parse("grpc://localhost:8001/m")
    with pytest.raises(Forbidden):
        AddressGuard(uri).look_up(10)
    assert AddressGuard(uri, (ip_network("127.0.0.0/8"), ip_network("::1/128"))).look_up(10)


def test_an_unknown_name() -> None:
    """What no resolver knows is an OSError, not a refusal."""
    with pytest.raises(socket.gaierror):
        look_up("no-such-name.invalid", 1, None)


def test_a_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup is waited for no longer than the caller may."""
    free = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: free.wait(60) and [])
    with pytest.raises(TimeoutError):
        guard().look_up(0.01)
    free.set()


def test_addresses_inside_addresses() -> None:
    """Teredo carries its server and its client, both count; others carry one or none."""
    assert [str(each) for each in embedded_addresses(ip_address("2001:0:808:808::f5ff:fffe"))] == [
        "8.8.8.8",
        "10.0.0.1",
    ]
    assert [str(each) for each in embedded_addresses(ip_address("2001:4860::1"))] == ["2001:4860::1"]
    assert is_public(ip_address("8.8.8.8"))
