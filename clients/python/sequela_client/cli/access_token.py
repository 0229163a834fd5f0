"""`sequela token`: makes a token for a client, and the line for the server's file of tokens."""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

PREFIX: Final = "sequela_"
"""A prefix by which tools that search repositories and logs for secrets recognize tokens."""
TOKEN_BYTES: Final = 32
"""The number of random bytes in a token, so that it cannot be guessed, not even from its digest."""
ROLES: Final = ("explain", "read", "admin")
NAME_LENGTH: Final = 128
NAME_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@:/+-")


def _check_name(_: click.Context, __: click.Parameter, name: str) -> str:
    if not 0 < len(name) <= NAME_LENGTH or not NAME_CHARACTERS.issuperset(name):
        raise click.BadParameter(f"must have 1 to {NAME_LENGTH} letters, digits and ._@:/+-, not {name!r}")
    return name


def _check_roles(_: click.Context, __: click.Parameter, roles: str) -> str:
    given = [each.strip() for each in roles.split(",")]
    if unknown := [each for each in given if each not in ROLES]:
        raise click.BadParameter(
            f"must be some of {', '.join(ROLES)}, separated by commas, not {unknown[0]!r}"
        )
    return ",".join(given)


@click.command(short_help="Make a token for a client.")
@click.argument("name", callback=_check_name)
@click.option(
    "--roles",
    required=True,
    callback=_check_roles,
    help="What the client may do, separated by commas: explain, read (stored explanations), admin (everything).",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="Days until the token expires.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the token to this new file, which only you can read, instead of showing it.",
)
def token(name: str, roles: str, days: int, token_file: Path | None) -> None:
    """Makes a token for the client NAME. The line for the file of `sequela serve --tokens` goes to standard output, and
    the token, which the client sends, to standard error or a file.
    """
    made = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    expires = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    if token_file:
        _write(token_file, made)
        click.echo(f"wrote the token of {name} to {token_file}", err=True)
    else:
        click.echo(f"token of {name}, which is not shown again: {made}", err=True)
    digest = hashlib.sha256(made.encode()).hexdigest()
    click.echo(f"{name} sha256:{digest} {roles} {expires:%Y-%m-%dT%H:%M:%SZ}")


def _write(path: Path, text: str) -> None:
    try:
        # An existing file may belong to another client, or be readable for others.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"--token-file {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
