"""The URI of a model behind an endpoint: protocol, host, port and name.

Only the forms below are accepted, by one expression that must match completely. A general parser would also accept user
names, escapes, queries and unusual addresses, each of which might bypass the allow-list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from sequela.errors import InvalidInput

FORMS = (
    "grpc://host:port/name, http://host[:port]/v2/models/name or http://host[:port]/v1/models/name, "
    "with grpcs or https for TLS"
)
URI_FIELD, VERSION_FIELD = "model.endpoint.uri", "model.endpoint.version"
MAX_CHARACTERS, MAX_SHOWN_CHARACTERS = 1024, 100
MAX_HOST_CHARACTERS, MAX_LABEL_CHARACTERS, MAX_NAME_CHARACTERS = 253, 63, 200
"""The limits for hosts and labels are those of DNS (RFC 1035)."""
PORTS = range(1, 1 << 16)

_URI = re.compile(
    r"(?P<scheme>[a-zA-Z]+)://(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+)(:(?P<port>[0-9]{1,5}))?"
    r"/(?P<path>v[12]/models/)?(?P<name>[^/]*)",
    re.ASCII,
)
_NAME = re.compile(r"[\w.~-]+", re.ASCII)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class EndpointProtocol(Enum):
    """The protocol that an endpoint speaks. The value is the path in front of the model's name."""

    GRPC = "/"
    REST_V2 = "/v2/models/"
    REST_V1 = "/v1/models/"


SCHEMES = {"grpc": False, "grpcs": True, "http": False, "https": True}
"""Whether each scheme means TLS."""
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class EndpointUri:
    """One model of one server. The host is in lower case; IPv6 addresses have no brackets and their shortest form."""

    scheme: str
    protocol: EndpointProtocol
    host: str
    port: int
    name: str

    @classmethod
    def parse(cls, text: str, field: str = URI_FIELD) -> EndpointUri:
        """Reads a URI. Errors name `field`. Raises InvalidInput (ENDPOINT_URI_INVALID)."""
        if len(text) > MAX_CHARACTERS:
            raise _invalid(field, text, f"has {len(text)} characters, but the limit is {MAX_CHARACTERS}")
        found = _URI.fullmatch(text)
        if found is None:
            raise _invalid(field, text, f"expected {FORMS}")
        try:
            scheme = found["scheme"].lower()
            protocol = _protocol(scheme, found["path"] or "")
            port = read_port(scheme, found["port"])
            return cls(scheme, protocol, read_host(found["host"]), port, read_name(found["name"], "model"))
        except ValueError as error:
            raise _invalid(field, text, f"{error}; expected {FORMS}") from None

    @property
    def secure(self) -> bool:
        """Whether the connection uses TLS."""
        return SCHEMES[self.scheme]

    @property
    def path(self) -> str:
        """`/name`, `/v2/models/name` or `/v1/models/name`."""
        return self.protocol.value + self.name

    @property
    def authority(self) -> str:
        """`host:port`, with IPv6 addresses in brackets. The scheme's default port is omitted."""
        host = add_brackets(self.host)
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def add_brackets(host: str) -> str:
    """Writes a host as it stands before a port, with IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def read_port(scheme: str, text: str | None) -> int:
    """Returns the port, or the scheme's default if none is given. Raises ValueError."""
    if text is None and scheme not in DEFAULT_PORTS:
        raise ValueError("the port is missing")
    port = DEFAULT_PORTS[scheme] if text is None else int(text)
    if port not in PORTS:
        raise ValueError(f"port {port} is not from 1 to 65535")
    return port


def read_host(text: str) -> str:
    """Reads a host name, an IPv4 address or an IPv6 address in brackets, in canonical form. Raises ValueError."""
    # Hosts are compared with patterns, so each one has a single spelling.
    host = text.lower()
    if host.startswith("["):
        return _address(IPv6Address, host[1:-1])
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # resolvers accept 127.1 and 0x7f000001 as addresses too
        return _address(IPv4Address, host)
    well_formed = all(_LABEL.fullmatch(label) and len(label) <= MAX_LABEL_CHARACTERS for label in labels)
    if not well_formed or len(host) > MAX_HOST_CHARACTERS:
        raise ValueError(f"{host!r} is not a host name")
    return host


def read_name(text: str, what: str) -> str:
    """Returns a name that needs no escapes in a path. Raises ValueError."""
    if not _NAME.fullmatch(text) or not text.strip(".") or len(text) > MAX_NAME_CHARACTERS:
        allowed = f"1 to {MAX_NAME_CHARACTERS} letters, digits, '_', '-', '.' and '~', not dots alone"
        raise ValueError(f"the {what} {text[:MAX_SHOWN_CHARACTERS]!r} is not {allowed}")
    return text


def check_version(version: str, field: str = VERSION_FIELD) -> str:
    """Returns the version; empty leaves the choice to the server. Raises InvalidInput (ENDPOINT_VERSION_INVALID)."""
    try:
        return read_name(version, "version") if version else ""
    except ValueError as error:
        raise InvalidInput.at(field, "ENDPOINT_VERSION_INVALID", str(error)) from None


def _protocol(scheme: str, path: str) -> EndpointProtocol:
    if scheme not in SCHEMES:
        raise ValueError(f"the scheme {scheme!r} is not supported")
    protocol = EndpointProtocol(f"/{path}")
    if (protocol is EndpointProtocol.GRPC) is not scheme.startswith("grpc"):
        raise ValueError(f"the path {protocol.value}name cannot be used with {scheme}://")
    return protocol


def _address(kind: type[IPv4Address] | type[IPv6Address], text: str) -> str:
    try:
        return str(kind(text))
    except AddressValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _invalid(field: str, text: str, why: str) -> InvalidInput:
    shown = re.sub(r"//[^/]*@", "//…@", text)  # it may hold a password
    shown = shown if len(shown) <= MAX_SHOWN_CHARACTERS else shown[: MAX_SHOWN_CHARACTERS - 1] + "…"
    return InvalidInput.at(field, "ENDPOINT_URI_INVALID", f"{shown!r}: {why}")
