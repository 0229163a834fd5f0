"""`sequela serve`: replaces the process of the command by the server."""

from __future__ import annotations

import os
import sys

import click

from sequela_client.local_server import server_package


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Start a server.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Starts a server. All arguments are passed to it; `sequela serve --help` lists them."""
    server_package()
    # -P: no module is imported from the current folder.
    command = [sys.executable, "-P", "-m", "sequela", *arguments]
    os.execv(command[0], command)  # noqa: S606 no shell is needed: the server replaces this process
