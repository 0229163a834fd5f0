"""Errors for addresses that a server cannot listen on, with the options that set them."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BindOptions:
    """The options that set the host and the port of a server, such as `--host` and `--port`."""

    host: str
    port: str


def address(host: str, port: int) -> str:
    """Returns `host:port`, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind_error(host: str, port: int, options: BindOptions, error: OSError | None) -> OSError:
    """Returns the error for an address that a server cannot listen on.

    Args:
        host: The host, without brackets.
        port: The port.
        options: The options that set them.
        error: The error of the system; None if it is not known.
    """
    return OSError(f"cannot listen on {address(host, port)}: {_reason(host, port, options, error)}")


def listening_socket(host: str, port: int) -> socket.socket:
    """Returns a socket that listens on an address. Raises OSError; gaierror if the host cannot be resolved."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # `create_server` resolves the host too, but it raises errors of all kinds as a plain OSError.
    socket.getaddrinfo(host or None, port, family, socket.SOCK_STREAM)
    listener = socket.create_server((host, port), family=family)
    # Connections inherit it; asyncio turns it on only for sockets that name their protocol. Without it, the body of an
    # answer waits until the caller has acknowledged its head, which takes 40 ms on a kept connection.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def find_bind_error(host: str, port: int) -> OSError | None:
    """Tries to listen on an address, and returns the error of the system; None if it works now."""
    try:
        listening_socket(host, port).close()
    except OSError as error:
        return error
    return None


def _reason(host: str, port: int, options: BindOptions, error: OSError | None) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host {host} ({options.host}) cannot be resolved; name an address of this machine"
    match error.errno if error else None:
        case errno.EADDRINUSE:
            return f"port {port} ({options.port}) is in use by another program; stop it or choose another"
        case errno.EACCES | errno.EPERM:
            return f"this user may not listen on port {port} ({options.port}); choose one above 1023"
        case errno.EADDRNOTAVAIL:
            return f"this machine does not have the address {host} ({options.host}); name one that it has"
        case None:
            return f"the system refused it; check {options.host} and {options.port}"
        case number:
            return f"{os.strerror(number)}; check {options.host} and {options.port}"
