"""`sequela models`: the models that a server has."""

from __future__ import annotations

import re
from typing import Any

import click
from rich import box
from rich.table import Table

from sequela_client.cli.explain import server_options, tls_arguments
from sequela_client.cli.model_names import short
from sequela_client.cli.terminal import printable, terminal
from sequela_client.client import Sequela
from sequela_client.resources import Model

_HERE = "localhost:50051"
_SHOWN = 8
_DIGEST = re.compile("[0-9a-f]{64}")


@click.command(
    short_help="List the models of a server.", epilog="Example: sequela models --server fraud.example:50051"
)
@server_options
@click.option("--timeout", type=float, default=20.0, show_default=True, help="Seconds for the answer.")
def models(server: str | None, timeout: float, **tls: Any) -> None:
    """Lists the models that a server has: names for `sequela explain --model`, what they take, and their state.

    Without --server it is the one of this machine, at its usual port.
    """
    with Sequela(server or _HERE, timeout=timeout, **tls_arguments(**tls)) as sequela:
        found = [printable(model) for model in sequela.models()]
    console = terminal()
    if not found:
        console.print(f"The server at {server or _HERE} has no models.")
        return
    table = Table(box=box.SIMPLE_HEAD if console.encoding.startswith("utf") else box.ASCII, pad_edge=False)
    for head in ("model", "state", "takes", "features", "targets"):
        table.add_column(head, overflow="fold")
    for model in found:
        table.add_row(*_row(model))
    console.print(table)
    for model in found:
        if model.state_detail:
            console.print(f"{_name(model.name)} {model.state}: {model.state_detail}")
        for warning in model.warnings:
            console.print(f"Note on {_name(model.name)}: {warning.message}")


def _row(model: Model) -> tuple[str, ...]:
    takes = ", ".join(f"{item.name} ({item.role}, {item.width})" for item in model.inputs)
    targets = _some([target.name for target in model.targets])
    return _name(model.name), model.state, takes, _some([feature.name for feature in model.features]), targets


def _name(name: str) -> str:
    """As it is typed; an upload without a name by the beginning of its digest."""
    typed = short(name)
    return f"{typed[:12]}…" if _DIGEST.fullmatch(typed) else typed


def _some(names: list[str]) -> str:
    more = f", … ({len(names)})" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
