"""Checks to which addresses connections may be made.

Each name is resolved once, and connections use the addresses that were checked. A change of DNS in between cannot
redirect them.
"""

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

IPV4_IN_IPV6 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("::/96"))
"""IPv6 networks whose last 32 bits are an IPv4 address: NAT64 (RFC 6052, RFC 8215) and the form of RFC 4291."""
ALL_NETWORKS = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Allows public addresses and those of the operator's networks. Never allows link-local, multicast and unspecified
    addresses, whatever the networks are.
    """

    uri: EndpointUri
    networks: tuple[Network, ...] = ()

    def check_literal(self) -> None:
        """Raises Forbidden (ENDPOINT_NOT_ALLOWED) if the host is written as an address that is not allowed."""
        try:
            address = ip_address(self.uri.host)
        except ValueError:
            return
        self._check([address])

    def look_up(self, timeout: float | None) -> tuple[str, ...]:
        """Looks up the addresses of the host, and checks them.

        Args:
            timeout: In seconds; None for no limit.

        Returns:
            Its addresses, all of them allowed.

        Raises:
            Forbidden: ENDPOINT_NOT_ALLOWED, if any of the addresses is not allowed.
            OSError: The name cannot be resolved (gaierror), or not in time (TimeoutError).
        """
        # All addresses must be allowed, because the connection may use any of them.
        found = look_up(self.uri.host, self.uri.port, timeout)
        self._check([ip_address(address.partition("%")[0]) for address in found])
        return found

    def _check(self, addresses: list[Address]) -> None:
        if not all(self._allows(form) for address in addresses for form in embedded_addresses(address)):
            # The address itself would tell callers about a network that they cannot see.
            text = (
                "its host has an address that is not public and not in the operator's --endpoint-networks, or one "
                "that is never allowed (link-local, multicast, unspecified)"
            )
            raise not_allowed_error(f"{self.uri}: {text}")

    def _allows(self, address: Address) -> bool:
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        return is_public(address) or any(address in network for network in self.networks)


def open_guard(uri: EndpointUri) -> AddressGuard:
    """Returns the guard for the operator's own endpoints, which allows every address that is not always refused."""
    return AddressGuard(uri, ALL_NETWORKS)


def not_allowed_error(text: str) -> Forbidden:
    """Returns the error for an endpoint that a request must not name."""
    violations = [Violation(URI_FIELD, text)]
    return Forbidden("ENDPOINT_NOT_ALLOWED", f"{URI_FIELD}: {text}", violations=violations)


def is_public(address: Address) -> bool:
    """Returns whether an address belongs to a host on the internet. Multicast and reserved addresses do not."""
    # `is_global` alone also accepts multicast and some reserved networks.
    reserved = address.is_private or address.is_reserved or address.is_loopback
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (reserved or site_local)


def embedded_addresses(address: Address) -> Iterator[Address]:
    """Yields where packets to an address end: the IPv4 addresses that an IPv6 address contains, or the address."""
    if isinstance(address, IPv4Address) or address.is_unspecified or address.is_loopback:
        yield address
    # Tunnels deliver packets to the IPv4 address inside. Without these rules, ::ffff:127.0.0.1 would reach the loopback
    # address.
    elif address.ipv4_mapped or address.sixtofour:
        yield address.ipv4_mapped or address.sixtofour or address
    elif address.teredo:
        yield from address.teredo
    elif any(address in network for network in IPV4_IN_IPV6):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address


def look_up(host: str, port: int, timeout: float | None) -> tuple[str, ...]:
    """Returns the addresses of a host in the resolver's order, without repetitions. Raises OSError."""
    answer: Future[tuple[str, ...]] = Future()
    # The system's resolver has no timeout, so a thread waits for it, as long as it takes.
    threading.Thread(target=_resolve, args=(answer, host, port), name="resolver", daemon=True).start()
    try:
        return answer.result(timeout)
    except TimeoutError:
        raise TimeoutError("its name was not looked up in time") from None


def _resolve(answer: Future[tuple[str, ...]], host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.set_result(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
    except (OSError, UnicodeError) as error:
        answer.set_exception(error if isinstance(error, OSError) else OSError(str(error)))
