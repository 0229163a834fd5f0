"""`sequela models`: lists the models of a server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.model_names import readable
from sequela_client.cli.option_flags import with_flags
from sequela_client.cli.server_options import ServerOptions, server_options
from sequela_client.cli.terminal import print_wrapped, terminal
from sequela_client.printable_text import printable
from sequela_client.resources import Model

_LOCAL = "localhost:50051"
_SHOWN = 8


@click.command(
    cls=GroupedCommand,
    short_help="List the models of a server.",
    epilog="Example: sequela models --server fraud.example:50051",
)
@server_options(f"[default: {_LOCAL}]")
@option(
    "Server",
    "--timeout",
    type=float,
    metavar="SECONDS",
    default=20.0,
    show_default=True,
    help="How long to wait for the answer.",
)
def models(**values: Any) -> None:
    """Lists the models of a server: the name that `sequela explain --model` takes, the state, the inputs with their
    role and number of columns, the features and the targets.
    """
    server = ServerOptions.of(values)
    address = server.address or _LOCAL
    with server.connect(address, values["timeout"]) as sequela:
        found = [printable(model) for model in sequela.models()]
    console = terminal()
    if not found:
        console.print(f"The server at {address} has no models.")
        return
    console.print(_table(console, found))
    notes = _notes(found)
    if notes:
        console.print("Notes", style="bold")
    for text, names in notes.items():
        print_wrapped(console, f"{', '.join(names)}: {with_flags(text)}", "  ")


def _table(console: Console, found: Iterable[Model]) -> Table:
    unicode = console.encoding.startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII, pad_edge=False)
    for head in ("model", "state", "inputs", "features", "targets"):
        table.add_column(head, overflow="fold")
    for model in found:
        inputs = ", ".join(f"{item.name} ({item.role}, {item.width})" for item in model.inputs)
        features = _some([feature.name for feature in model.features])
        targets = _some([target.name for target in model.targets])
        table.add_row(readable(model.name), model.state, inputs, features, targets)
    return table


def _notes(found: Iterable[Model]) -> dict[str, list[str]]:
    """Returns the warnings about models, each text once, with the names of the models that it is about."""
    notes: dict[str, list[str]] = {}
    for model in found:
        if model.state_detail:
            notes.setdefault(f"{model.state}: {model.state_detail}", []).append(readable(model.name))
        for warning in model.warnings:
            notes.setdefault(warning.message, []).append(readable(model.name))
    return notes


def _some(names: list[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
