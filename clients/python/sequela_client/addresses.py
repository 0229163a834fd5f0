"""Addresses of servers, as people write them and as gRPC takes them."""

from __future__ import annotations

import os
import re

DEFAULT_PORT = 50051
"""The server's."""

PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
"""Where gRPC looks for a proxy; it heeds only names in lower case."""

_HOST_ALONE = re.compile(r"[^:/\[\]]+|\[[^\]]+\]")
_FOREIGN_SCHEME = re.compile(r"(https?|grpcs?|tcp)://", re.IGNORECASE)
_LOOPBACK = re.compile(r"(dns:/*|ipv[46]:)?(localhost|127(\.\d+){3}|\[?::1\]?)(:\d+)?", re.IGNORECASE)


def target(address: str) -> str:
    """The address as gRPC takes it: without blanks around it or a slash at its end, with the server's port if it
    has none.

    Raises ValueError for the scheme of another protocol, which gRPC would take for the name of a host.
    """
    plain = address.strip()
    if foreign := _FOREIGN_SCHEME.match(plain):
        tls = " and secure=True for TLS" if foreign[1].lower() in ("https", "grpcs") else ""
        raise ValueError(f"address {address!r}: leave out {foreign[0]!r}; give host:port{tls}")
    if "://" not in plain and not plain.startswith("unix:"):
        plain = plain.rstrip("/")
    return f"{plain}:{DEFAULT_PORT}" if _HOST_ALONE.fullmatch(plain) else plain


def is_loopback(address: str) -> bool:
    """Whether it names this machine: no proxy leads there."""
    return _LOOPBACK.fullmatch(address) is not None


def proxy_hint(address: str) -> str:
    """What to say where no server answers and gRPC asked a proxy; empty where it did not."""
    variable = next((name for name in PROXY_VARIABLES if os.environ.get(name)), None)
    if variable is None or is_loopback(address):
        return ""
    return (
        f" The variable {variable} sends gRPC through a proxy; name this host in no_proxy if it should not."
    )
