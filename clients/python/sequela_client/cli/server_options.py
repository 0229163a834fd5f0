"""The options that say which server a command calls, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sequela_client.cli.grouped_help import Decorator, added, option
from sequela_client.client import Sequela

HEADING = "Server"

_PEM = click.Path(path_type=Path)
_OPTIONS = [
    option(
        HEADING,
        "--secure",
        is_flag=True,
        help="Use TLS, and trust the authorities of the system.",
    ),
    option(
        HEADING,
        "--ca",
        type=_PEM,
        metavar="FILE",
        help="Use TLS, and trust the authorities in this PEM file.",
    ),
    option(
        HEADING,
        "--cert",
        type=_PEM,
        metavar="FILE",
        help="Use TLS, and present the certificate in this PEM file; needs --key.",
    ),
    option(HEADING, "--key", type=_PEM, metavar="FILE", help="The key of that certificate, a PEM file."),
]


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The server that a command calls.

    Args:
        address: the address of the server; None if none was named.
        tls: the arguments of `Sequela` about TLS.
    """

    address: str | None
    tls: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ServerOptions:
        """Makes them from the values of a command's parameters."""
        return cls(values["server"], tls_of(values))

    @property
    def has_tls(self) -> bool:
        """Whether an option about TLS was given."""
        return any(self.tls.values())

    def connect(self, address: str, timeout: float) -> Sequela:
        """Returns a client of the server at this address."""
        return Sequela(address, timeout=timeout, **self.tls)


def tls_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Sequela` about TLS, from the values of a command's parameters."""
    names = {"secure": "secure", "ca": "ca", "certificate": "cert", "key": "key"}
    return {name: values[param] for name, param in names.items()}


def server_options(default: str) -> Decorator:
    """Returns a decorator that adds the options. `default` says what happens without --server."""
    server = option(HEADING, "--server", metavar="HOST:PORT", help=f"The address of the server. {default}")
    return lambda command: added(command, [server, *_OPTIONS])


def servers_options(default: str) -> Decorator:
    """The same for a command that asks several servers; their addresses are the parameter `servers`."""
    server = option(
        HEADING,
        "--server",
        "servers",
        multiple=True,
        metavar="HOST:PORT",
        help=f"The address of a server; repeatable. {default}",
    )
    return lambda command: added(command, [server, *_OPTIONS])
