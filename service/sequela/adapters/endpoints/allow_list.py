"""The operator's allow-list: which endpoints requests may name, and where these may lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from sequela.adapters.endpoints.addresses import AddressGuard, not_allowed
from sequela.adapters.endpoints.uri import SCHEMES, EndpointUri, read_host, read_port

_PATTERN = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>\[[0-9a-f:.]+\]|[\w.*-]+)(:(?P<port>[0-9]{1,5}|\*))?(?P<path>/[\w.~*/-]+)",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UriPattern:
    """`scheme://host[:port]/path`; `*` in the host or the path stands for any characters of that part, alone as the
    port for any port. The end of a host is written out, or all of it is `*`: `10.1.*` would match 10.1.example.com.
    """

    scheme: str
    host: re.Pattern[str]
    port: int | None
    path: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> UriPattern:
        """Raises ValueError."""
        found = _PATTERN.fullmatch(text)
        if found is None or found["scheme"].lower() not in SCHEMES:
            raise ValueError(
                f"{text!r} is not an endpoint pattern: {' or '.join(SCHEMES)}://host[:port]/path"
            )
        scheme, host = found["scheme"].lower(), found["host"]
        try:
            port = None if found["port"] == "*" else read_port(scheme, found["port"])
            return cls(scheme, _host(host), port, _wild(found["path"]))
        except ValueError as error:
            raise ValueError(f"{text!r} is not an endpoint pattern: {error}") from None

    def matches(self, uri: EndpointUri) -> bool:
        """Part by part, so that no wildcard reaches from one into another."""
        place = self.scheme == uri.scheme and self.port in (None, uri.port)
        return place and bool(self.host.fullmatch(uri.host) and self.path.fullmatch(uri.path))


class AllowList:
    """Endpoints that requests may name match a pattern, and their hosts have public addresses, or ones of the
    networks (`10.1.0.0/16`). Raises ValueError for a pattern or network that is none.
    """

    def __init__(self, patterns: Sequence[str], networks: Sequence[str]) -> None:
        self._patterns = tuple(UriPattern.parse(pattern) for pattern in patterns)
        self._networks = tuple(ip_network(network) for network in networks)

    def check(self, uri: EndpointUri) -> AddressGuard:
        """What its host is held against whenever it is looked up. Raises Forbidden (ENDPOINT_NOT_ALLOWED)."""
        if not any(pattern.matches(uri) for pattern in self._patterns):
            text = "is not on the operator's list of endpoints that requests may name (--endpoint-allow)"
            raise not_allowed(f"{uri} {text}")
        guard = AddressGuard(uri, self._networks)
        guard.check_literal()
        return guard


def _host(text: str) -> re.Pattern[str]:
    if "*" not in text:
        return _wild(read_host(text))
    if text != "*" and "*" in text.rpartition(".")[2]:
        raise ValueError("a host must not end in a part with '*'")
    return _wild(text.lower())


def _wild(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"))
