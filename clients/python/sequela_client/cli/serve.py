"""`sequela serve`: the server, in this process's place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import click

_NEEDED = ("grpc_health", "grpc_reflection", "onnx", "onnxruntime", "pydantic_settings", "uvicorn")
"""Some of what the extra `service` brings."""


def server_package() -> Path:
    """Where the server's package lies. Raises ClickException where it is not installed, or its dependencies
    are not.
    """
    found = find_spec("sequela")
    if found is None or not found.submodule_search_locations or not all(map(find_spec, _NEEDED)):
        raise click.ClickException(
            "the service is not installed: pip install 'sequela[service]', or name a --server"
        )
    return Path(next(iter(found.submodule_search_locations)))


def server_command(arguments: Iterable[str]) -> list[str]:
    """What starts the server with these arguments. -P: nothing is imported from the current folder."""
    return [sys.executable, "-P", "-m", "sequela", *arguments]


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Start the server.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Starts the server; all arguments are the server's own."""
    server_package()
    command = server_command(arguments)
    os.execv(command[0], command)  # noqa: S606 no shell is wanted: the server takes this process's place
