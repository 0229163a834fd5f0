"""Parses the address of a server."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass

from sequela_client.errors import CallerError

# The default port of the server.
DEFAULT_PORT = 50051

_SCHEME = re.compile(r"(https?|grpcs?|tcp)://(?P<rest>[^/]*).*", re.IGNORECASE)
_HOST_ALONE = re.compile(r"[^:/\[\]]+|\[[^\]]+\]")
_HOST_AND_PORT = re.compile(r"(?P<host>[^:/\[\]]+|\[[^\]]+\]):(?P<port>[^:/\[\]]*)")
# In the order in which gRPC reads them.
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A target of gRPC. `host` is empty if the target is not of the form `host:port`."""

    target: str
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """Parses `host:port`, a host alone, an IPv6 address with or without brackets, or any gRPC target.

        Raises CallerError for anything else, such as an HTTP URL or a port that is not a number.
        """
        text = text.strip()
        if found := _SCHEME.fullmatch(text):
            hint = f"write {found['rest']}" if found["rest"] else "write host:port"
            raise _invalid(text, f"{hint}, without a scheme; for TLS use secure= or ca= (--secure or --ca)")
        if not text:
            raise _invalid(text, "it is empty; write host:port")
        # Without brackets, the last part of an IPv6 address would be read as a port.
        if _is_ipv6(text):
            text = f"[{text}]"
        if _HOST_ALONE.fullmatch(text):
            text = f"{text}:{DEFAULT_PORT}"
        if (found := _HOST_AND_PORT.fullmatch(text)) is None or found["host"] in (
            "unix",
            "dns",
            "ipv4",
            "ipv6",
        ):
            return cls(text)
        if not found["port"].isdecimal() or not 0 < int(found["port"]) < 1 << 16:
            raise _invalid(text, f"the port must be a number from 1 to 65535, not {found['port']!r}")
        return cls(text, found["host"].strip("[]"), int(found["port"]))

    @property
    def is_local(self) -> bool:
        """Whether the address is one of this machine, which gRPC must not reach through a proxy."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def proxy(self) -> str:
        """The environment variable that makes gRPC use a proxy; empty if none does."""
        return "" if self.is_local else next((name for name in _PROXIES if os.environ.get(name)), "")


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _invalid(text: str, what: str) -> CallerError:
    return CallerError(f"server address {text!r}: {what}", reason="ADDRESS_INVALID")
