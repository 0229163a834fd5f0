"""`sequela delete`: deletes stored explanations."""

from __future__ import annotations

from typing import Any

import click

from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.server_options import server_options
from sequela_client.cli.stored_options import LOCAL, connect, full_name, parse_label, timeout_option

WHICH = "Which explanations (one of these, or NAME)"

EPILOG = """\b
Examples:
  sequela delete 3f0c2d --server fraud.example
  sequela delete --caller-id alert-4711 --server fraud.example
  sequela delete --label customer=0815 --server fraud.example --yes
"""


@click.command("delete", cls=GroupedCommand, short_help="Delete stored explanations.", epilog=EPILOG)
@click.argument("name", required=False)
@option(WHICH, "--caller-id", metavar="ID", help="All with this caller id, such as those of one alert.")
@option(WHICH, "--label", callback=parse_label, metavar="KEY=VALUE", help="All with this label.")
@option("Confirmation", "--yes", is_flag=True, help="Delete them without asking.")
@server_options(f"[default: {LOCAL}]")
@timeout_option
def explanation_removal(
    name: str | None, caller_id: str | None, label: tuple[str, str] | None, yes: bool, **values: Any
) -> None:
    """Deletes the stored explanation NAME, or all with a caller id or a label, with the sequences that were kept with
    them. No replica of the server returns them any more after 60 seconds. This cannot be undone.
    """
    # An empty text may come from a variable of a script that is not set; it must not select anything.
    given = {"NAME": name, "--caller-id": caller_id, "--label": label}
    chosen = [flag for flag, value in given.items() if value is not None]
    if len(chosen) != 1 or name == "" or caller_id == "":
        raise click.UsageError("say which explanations to delete: NAME, --caller-id ID or --label KEY=VALUE")
    if not yes:
        click.confirm(
            f"Delete {_described(name, caller_id, label)} from {_server(values)}?", abort=True, err=True
        )
    with connect(values) as sequela:
        count = sequela.delete_explanations(
            name=full_name(name) if name else None, caller_id=caller_id, label=label
        )
    click.echo(f"{count:,} explanation{'' if count == 1 else 's'} deleted")


def _described(name: str | None, caller_id: str | None, label: tuple[str, str] | None) -> str:
    if name is not None:
        return f"the explanation {name}"
    if caller_id is not None:
        return f"all explanations with the caller id {caller_id!r}"
    return f"all explanations with the label {'='.join(label or ())}"


def _server(values: dict[str, Any]) -> str:
    return str(values["server"] or LOCAL)
