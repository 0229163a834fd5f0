"""The operator's allow-list: which endpoints requests may name, and in which networks these may be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from sequela.adapters.endpoints.addresses import AddressGuard, not_allowed_error
from sequela.adapters.endpoints.uri import SCHEMES, EndpointUri, read_host, read_port

_PATTERN = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>\[[0-9a-f:.]+\]|[\w.*-]+)(:(?P<port>[0-9]{1,5}|\*))?(?P<path>/[\w.~*/-]+)",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UriPattern:
    """A pattern for URIs, `scheme://host[:port]/path`.

    A `*` in the host or the path matches any characters of that part, and `*` as the port any port. The last label of a
    host must have no `*` unless the host is `*` alone: `10.1.*` would match 10.1.example.com too.
    """

    scheme: str
    host: re.Pattern[str]
    port: int | None
    path: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> UriPattern:
        """Reads a pattern. Raises ValueError."""
        found = _PATTERN.fullmatch(text)
        if found is None or found["scheme"].lower() not in SCHEMES:
            raise ValueError(
                f"{text!r} is not an endpoint pattern: {' or '.join(SCHEMES)}://host[:port]/path"
            )
        scheme, host = found["scheme"].lower(), found["host"]
        try:
            port = None if found["port"] == "*" else read_port(scheme, found["port"])
            return cls(scheme, _host_pattern(host), port, _wildcard(found["path"]))
        except ValueError as error:
            raise ValueError(f"{text!r} is not an endpoint pattern: {error}") from None

    def matches(self, uri: EndpointUri) -> bool:
        """Returns whether a URI matches, part by part: a wildcard does not reach into the next part."""
        same_server = self.scheme == uri.scheme and self.port in (None, uri.port)
        return same_server and bool(self.host.fullmatch(uri.host) and self.path.fullmatch(uri.path))


class AllowList:
    """The endpoints that requests may name. They must match a pattern, and their hosts must have addresses that are
    public or in the operator's networks.

    Args:
        patterns: See `UriPattern`.
        networks: As `10.1.0.0/16`.

    Raises:
        ValueError: A pattern or a network is not valid.
    """

    def __init__(self, patterns: Sequence[str], networks: Sequence[str]) -> None:
        self._patterns = tuple(UriPattern.parse(pattern) for pattern in patterns)
        self._networks = tuple(ip_network(network) for network in networks)

    def check(self, uri: EndpointUri) -> AddressGuard:
        """Returns the guard that checks its host's addresses. Raises Forbidden (ENDPOINT_NOT_ALLOWED)."""
        if not any(pattern.matches(uri) for pattern in self._patterns):
            text = "is not on the operator's list of endpoints that requests may name (--endpoint-allow)"
            raise not_allowed_error(f"{uri} {text}")
        guard = AddressGuard(uri, self._networks)
        # An address in the URI can be checked without a look-up, so the request is refused before anything is opened.
        guard.check_literal()
        return guard


def _host_pattern(text: str) -> re.Pattern[str]:
    if "*" not in text:
        return _wildcard(read_host(text))
    if text != "*" and "*" in text.rpartition(".")[2]:
        raise ValueError("the host must not end in a label with '*'")
    return _wildcard(text.lower())


def _wildcard(text: str) -> re.Pattern[str]:
    # All characters except the wildcard stand for themselves, above all the dot.
    return re.compile(re.escape(text).replace(r"\*", ".*"))
