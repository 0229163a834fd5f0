"""Checks which name of the server a request is addressed to.

A web page may let its own name resolve to 127.0.0.1, and then reads what a server on the visitor's machine answers. The
Host header still holds the page's name. Requests that change something carry an Origin header, which is refused anyway.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from sequela.api.errors import HOST_REFUSED
from sequela.errors import Forbidden

SHOWN = 80
"""The most characters of a name that are shown."""


@dataclass(frozen=True, slots=True)
class HostCheck:
    """Which names are accepted in the Host header.

    Attributes:
        names: The accepted names besides those of the machine itself.
        any_name: Whether all names are accepted.
    """

    names: frozenset[str] = frozenset()
    any_name: bool = True

    @classmethod
    def of(cls, listens_on: str, names: Iterable[str]) -> HostCheck:
        """Returns the check for an address to listen on. Without names, it only applies to loopback addresses."""
        given = frozenset(name.lower() for name in names)
        return cls(given, "*" in given or not (given or is_loopback(listens_on)))

    def check(self, header: str) -> None:
        """Raises Forbidden (HOST_REFUSED)."""
        name = _without_port(header.strip().lower())
        if self.any_name or name in self.names or is_loopback(name):
            return
        text = f"the Host header names {name[:SHOWN]!r}, which is not a name of this server; ask it by a loopback "
        text += "address, or set --allowed-hosts"
        raise Forbidden(HOST_REFUSED, text)


ANY_HOST = HostCheck()
"""Accepts every name."""


def is_loopback(host: str) -> bool:
    """Returns whether a name or an address is the machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
