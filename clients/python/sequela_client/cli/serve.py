"""`sequela serve`: replaces the process of the command by the server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import click

# Some of the packages that the extra `service` installs.
_NEEDED = ("grpc_health", "grpc_reflection", "onnx", "onnxruntime", "pydantic_settings", "uvicorn")


def server_package() -> Path:
    """Finds the folder of the server's package.

    Raises:
        ClickException: if the package or one of its dependencies is not installed.
    """
    found = find_spec("sequela")
    if found is None or not found.submodule_search_locations or not all(map(find_spec, _NEEDED)):
        raise click.ClickException(
            "the service is not installed; run pip install 'sequela[service]', or name a running server with --server"
        )
    return Path(next(iter(found.submodule_search_locations)))


def server_command(arguments: Iterable[str]) -> list[str]:
    """Returns the command line that starts the server. -P: no module is imported from the current folder."""
    return [sys.executable, "-P", "-m", "sequela", *arguments]


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Start a server.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Starts a server. All arguments are passed to it; `sequela serve --help` lists them."""
    server_package()
    command = server_command(arguments)
    os.execv(command[0], command)  # noqa: S606 no shell is needed: the server replaces this process
