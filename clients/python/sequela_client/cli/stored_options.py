"""The options that the commands about stored explanations have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from sequela_client.cli.grouped_help import Decorator, option
from sequela_client.cli.server_options import ServerOptions
from sequela_client.client import Sequela

LOCAL = "localhost:50051"

timeout_option: Decorator = option(
    "Server",
    "--timeout",
    type=float,
    metavar="SECONDS",
    default=20.0,
    show_default=True,
    help="How long to wait for an answer.",
)


def connect(values: Mapping[str, Any]) -> Sequela:
    """Returns a client of the server, from the values of a command's parameters."""
    server = ServerOptions.of(values)
    return server.connect(server.address or LOCAL, values["timeout"])


def parse_label(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, str] | None:
    """The key and the value of a label."""
    if text is None:
        return None
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE")
    return key, value


def parse_labels(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Several labels. Each key may be given once."""
    labels: dict[str, str] = {}
    for text in texts:
        if (label := parse_label(_, __, text)) is None:
            continue
        key, value = label
        if key in labels:
            raise click.BadParameter(f"{key!r} is given twice, as {labels[key]!r} and as {value!r}")
        labels[key] = value
    return labels


def parse_time(_: click.Context, __: click.Parameter, text: str | None) -> datetime | None:
    """A time in ISO 8601; without a zone it is local time."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a date or a time such as 2026-03-29 or 2026-03-29T14:00:00+01:00"
        ) from None
