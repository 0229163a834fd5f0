"""Which addresses may be connected to. What was checked is what is connected to: names are looked up here, once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from sequela.adapters.endpoints.uri import URI_FIELD, EndpointUri
from sequela.errors import Forbidden, Violation

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("::/96"))
"""IPv6 whose last 32 bits are an IPv4 address: NAT64 (RFC 6052, RFC 8215) and the old compatible form (RFC 4291)."""
EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Lets through public addresses and those of the operator's networks; never link-local, multicast and
    unspecified ones, whatever the networks say.
    """

    uri: EndpointUri
    networks: tuple[Network, ...] = ()

    def check_literal(self) -> None:
        """Raises Forbidden (ENDPOINT_NOT_ALLOWED) where the host is an address that is not let through."""
        try:
            address = ip_address(self.uri.host)
        except ValueError:
            return
        self._check([address])

    def addresses(self, timeout: float | None) -> tuple[str, ...]:
        """What the host stands for now; every one of them is let through. `timeout` in seconds, None: no limit.

        Raises Forbidden (ENDPOINT_NOT_ALLOWED) where one is not, OSError where the name is not known (gaierror) or
        nobody answers in time (TimeoutError).
        """
        found = looked_up(self.uri.host, self.uri.port, timeout)
        self._check([ip_address(address.partition("%")[0]) for address in found])
        return found

    def _check(self, addresses: list[Address]) -> None:
        if not all(self._fine(form) for address in addresses for form in embedded(address)):
            # Which address it is would tell about a network that the caller may not look into.
            text = (
                "its host has an address that is not public and not in the operator's --endpoint-networks, "
            )
            text += "or one that is never let through (link-local, multicast, unspecified)"
            raise not_allowed(f"{self.uri}: {text}")

    def _fine(self, address: Address) -> bool:
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        return is_public(address) or any(address in network for network in self.networks)


def open_guard(uri: EndpointUri) -> AddressGuard:
    """For the operator's own endpoints: lets through what is never refused."""
    return AddressGuard(uri, EVERYWHERE)


def not_allowed(text: str) -> Forbidden:
    """An endpoint that a request must not name."""
    violations = [Violation(URI_FIELD, text)]
    return Forbidden("ENDPOINT_NOT_ALLOWED", f"{URI_FIELD}: {text}", violations=violations)


def is_public(address: Address) -> bool:
    """Whether anybody on the internet has it; multicast and what is set aside for later do not count."""
    set_aside = address.is_private or address.is_reserved or address.is_loopback
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (set_aside or site_local)


def embedded(address: Address) -> Iterator[Address]:
    """Where packets to it end: the IPv4 addresses that an IPv6 one carries, or the address itself."""
    if isinstance(address, IPv4Address) or address.is_unspecified or address.is_loopback:
        yield address
    elif address.ipv4_mapped or address.sixtofour:
        yield address.ipv4_mapped or address.sixtofour or address
    elif address.teredo:
        yield from address.teredo
    elif any(address in network for network in TRANSLATED):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address


def looked_up(host: str, port: int, timeout: float | None) -> tuple[str, ...]:
    """The addresses of a host in the resolver's order, each once. Raises OSError."""
    answer: Future[tuple[str, ...]] = Future()
    # The resolver knows no deadline: a thread waits for it, for as long as the operating system lets it.
    threading.Thread(target=_ask, args=(answer, host, port), name="resolver", daemon=True).start()
    try:
        return answer.result(timeout)
    except TimeoutError:
        raise TimeoutError("its name was not looked up in time") from None


def _ask(answer: Future[tuple[str, ...]], host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.set_result(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
    except (OSError, UnicodeError) as error:
        answer.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
