"""The options that say which server a command calls, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sequela_client.cli.grouped_help import Decorator, added, option
from sequela_client.client import Sequela
from sequela_client.credentials import Credentials

HEADING = "Server"

_PEM = click.Path(path_type=Path)
_OPTIONS = [
    option(
        HEADING,
        "--secure",
        is_flag=True,
        envvar="SEQUELA_SECURE",
        help="Use TLS, and trust the authorities of the system.",
    ),
    option(
        HEADING,
        "--ca",
        type=_PEM,
        metavar="FILE",
        envvar="SEQUELA_CA",
        help="Use TLS, and trust the authorities in this PEM file.",
    ),
    option(
        HEADING,
        "--cert",
        type=_PEM,
        metavar="FILE",
        envvar="SEQUELA_CERT",
        help="Use TLS, and present the certificate in this PEM file; needs --key.",
    ),
    option(
        HEADING,
        "--key",
        type=_PEM,
        metavar="FILE",
        envvar="SEQUELA_KEY",
        help="The key of that certificate, a PEM file.",
    ),
    option(
        HEADING,
        "--token-file",
        type=_PEM,
        metavar="FILE",
        envvar="SEQUELA_TOKEN_FILE",
        help="Identify yourself with the token in this file.",
    ),
    option(
        HEADING,
        "--token-without-tls",
        is_flag=True,
        envvar="SEQUELA_TOKEN_WITHOUT_TLS",
        help="Send the token in plain text to other machines, too, where a service mesh encrypts the connection.",
    ),
]
# Options of Credentials and their parameters.
_PARAMETERS = {
    "secure": "secure",
    "ca": "ca",
    "certificate": "cert",
    "key": "key",
    "token_file": "token_file",
    "token_without_tls": "token_without_tls",
}


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The server that a command calls.

    Args:
        address: the address of the server; None if none was named.
        credentials: how to reach it safely.
    """

    address: str | None
    credentials: Credentials

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ServerOptions:
        """Makes them from the values of a command's parameters."""
        return cls(values["server"], credentials_of(values))

    def connect(self, address: str, timeout: float) -> Sequela:
        """Returns a client of the server at this address."""
        return Sequela(address, timeout=timeout, credentials=self.credentials)


def credentials_of(values: Mapping[str, Any]) -> Credentials:
    """The credentials, from the values of a command's parameters."""
    return Credentials(**{name: values[param] for name, param in _PARAMETERS.items()})


def check_named(named: object) -> None:
    """Raises UsageError if an option about the server was given and no server named.

    Variables of the environment are meant for the servers that are named, and may stay set.
    """
    source = click.get_current_context().get_parameter_source
    if not named and any(source(each) is ParameterSource.COMMANDLINE for each in _PARAMETERS.values()):
        raise click.UsageError("--secure, --ca, --cert, --key and --token-file go with --server")


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
