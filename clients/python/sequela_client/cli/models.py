"""`sequela models`: lists the models of a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.model_names import readable, short, with_version
from sequela_client.cli.option_flags import with_flags
from sequela_client.cli.server_options import ServerOptions, server_options
from sequela_client.cli.terminal import print_wrapped, printing
from sequela_client.printable_text import printable
from sequela_client.resources import Model

_LOCAL = "localhost:50051"
_SHOWN = 8
_UNKNOWN = "not loaded yet"


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
    with printing() as console:
        if found:
            _print(console, found)
        else:
            console.print(f"The server at {address} has no models.")


def _print(console: Console, found: Sequence[Model]) -> None:
    name = _names(found)
    console.print(_table(console, found, name))
    notes = _notes(found, name)
    if notes:
        console.print("Notes", style="bold")
    for text, names in notes.items():
        print_wrapped(console, f"{', '.join(names)}: {with_flags(text)}", "  ")


def _names(found: Sequence[Model]) -> Callable[[Model], str]:
    """Returns the function that names a model, with its version if there are several versions of it."""
    versions = Counter(short(model.name) for model in found)
    return lambda model: (with_version if versions[short(model.name)] > 1 else readable)(model.name)


def _table(console: Console, found: Sequence[Model], name: Callable[[Model], str]) -> Table:
    unicode = console.encoding.startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII, pad_edge=False)
    for head in ("model", "state", "inputs", "features", "targets"):
        table.add_column(head, overflow="fold")
    for model in found:
        inputs = ", ".join(f"{item.name} ({item.role}, {item.width})" for item in model.inputs)
        features = _some([feature.name for feature in model.features])
        targets = _some([target.name for target in model.targets])
        blank = "" if model.state == "failed" else _UNKNOWN
        table.add_row(name(model), model.state, inputs or blank, features or blank, targets or blank)
    return table


def _notes(found: Sequence[Model], name: Callable[[Model], str]) -> dict[str, list[str]]:
    """Returns the warnings about models, each text once, with the names of the models that it is about."""
    notes: dict[str, list[str]] = {}
    for model in found:
        if model.state_detail:
            notes.setdefault(f"{model.state}: {model.state_detail}", []).append(name(model))
        for warning in model.warnings:
            notes.setdefault(warning.message, []).append(name(model))
    return notes


def _some(names: list[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
