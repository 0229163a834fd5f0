"""`sequela delete`: deletes stored explanations."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from sequela_client.cli.explanation_names import complete_name, full_name, read_explanation, short_name
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.server_options import server_options
from sequela_client.cli.stored_options import LOCAL, connect, parse_label, timeout_option
from sequela_client.client import Sequela
from sequela_client.errors import NotFound

_COUNTED = 1_000  # one page of the list
WHICH = "Which explanations (one of these, or NAME)"

EPILOG = """\b
Examples:
  sequela delete 3f0c2d --server fraud.example
  sequela delete --caller-id alert-4711 --server fraud.example
  sequela delete --label customer=0815 --server fraud.example --yes
"""


def _only_one(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> str | None:
    # click would take the last, and delete more than was meant by two labels.
    if len(texts) > 1:
        raise click.BadParameter("can be given once only; run the command once for each")
    return texts[0] if texts else None


def _only_label(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, str] | None:
    return parse_label(context, parameter, _only_one(context, parameter, texts))


@click.command("delete", cls=GroupedCommand, short_help="Delete stored explanations.", epilog=EPILOG)
@click.argument("name", required=False)
@option(
    WHICH,
    "--caller-id",
    multiple=True,
    callback=_only_one,
    metavar="ID",
    help="All with this caller id, such as those of one alert.",
)
@option(
    WHICH,
    "--label",
    multiple=True,
    callback=_only_label,
    metavar="KEY=VALUE",
    help="All with this label.",
)
@option("Confirmation", "--yes", is_flag=True, help="Delete them without asking.")
@server_options(f"[default: {LOCAL}]")
@timeout_option
def explanation_removal(
    name: str | None, caller_id: str | None, label: tuple[str, str] | None, yes: bool, **values: Any
) -> None:
    """Deletes the stored explanation NAME, or all with a caller id or a label, with the sequences that were kept with
    them. The beginning of a name is enough if no other name begins so. No replica of the server returns them any more
    after 60 seconds. This cannot be undone.
    """
    # An empty string may come from an unset variable of a script; it must not select anything.
    given = {"NAME": name, "--caller-id": caller_id, "--label": label}
    chosen = [flag for flag, value in given.items() if value is not None]
    if len(chosen) != 1 or name == "" or caller_id == "":
        raise click.UsageError("say which explanations to delete: NAME, --caller-id ID or --label KEY=VALUE")
    with connect(values) as sequela:
        if name is not None:
            count = _delete_named(sequela, name, "" if yes else _server(values))
        else:
            if not yes and not _confirmed(sequela, caller_id, label, _server(values)):
                return
            count = sequela.delete_explanations(caller_id=caller_id, label=label)
    click.echo(_counted(f"{count:,}", count) + " deleted")


def _delete_named(sequela: Sequela, name: str, server: str) -> int:
    """Deletes the explanation with this name or beginning of a name; asks first if a server is named.

    Raises:
        NotFound: there is none.
    """
    if server:
        name = read_explanation(sequela, name).name or full_name(name)
        click.confirm(f"Delete the explanation {short_name(name)} from {server}?", abort=True, err=True)
    count = sequela.delete_explanations(name=full_name(name))
    # A name that is not complete is looked up only now, since most names are.
    count = count or sequela.delete_explanations(name=complete_name(sequela, name))
    if not count:
        text = f"there is no explanation {short_name(name)!r} any more"
        raise NotFound(text, reason="EXPLANATION_NOT_FOUND")
    return count


def _confirmed(sequela: Sequela, caller_id: str | None, label: tuple[str, str] | None, server: str) -> bool:
    """Asks whether to delete the explanations, and says how many they are. Returns False if there are none."""
    listed = sequela.list_explanations(
        caller_id=caller_id or "", labels=dict([label]) if label else None, page_size=_COUNTED
    )
    count = sum(1 for _ in islice(listed, _COUNTED))
    selector = f"label {'='.join(label)}" if label else f"caller id {caller_id!r}"
    if not count:
        click.echo(f"There are no explanations with the {selector}.")
        return False
    number = f"at least {count:,}" if count == _COUNTED else f"{count:,}"
    click.confirm(
        f"Delete {_counted(number, count)} with the {selector} from {server}?", abort=True, err=True
    )
    return True


def _counted(number: str, count: int) -> str:
    return f"{number} explanation{'' if count == 1 else 's'}"


def _server(values: dict[str, Any]) -> str:
    return str(values["server"] or LOCAL)
