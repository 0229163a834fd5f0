"""`sequela list`: lists stored explanations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.model_names import readable
from sequela_client.cli.server_options import server_options
from sequela_client.cli.stored_options import LOCAL, connect, parse_labels, parse_time, timeout_option
from sequela_client.cli.terminal import terminal
from sequela_client.export import plain
from sequela_client.printable_text import printable
from sequela_client.resources import ExplanationSummary

WHICH, OUTPUT = "Which explanations", "Output"

EPILOG = """\b
Examples:
  sequela list --server fraud.example --caller-id alert-4711
  sequela list --server fraud.example --model fraud --min-score 0.9 --start 2026-03-01
"""


@click.command(
    "list", cls=GroupedCommand, short_help="List the stored explanations of a server.", epilog=EPILOG
)
@option(WHICH, "--caller-id", default="", metavar="ID", help="Only those with this caller id.")
@option(WHICH, "--model", default="", metavar="NAME", help="Only those of this model.")
@option(
    WHICH,
    "--label",
    "labels",
    multiple=True,
    callback=parse_labels,
    metavar="KEY=VALUE",
    help="Only those with this label; repeatable, and then with all of them.",
)
@option(
    WHICH,
    "--min-score",
    type=float,
    metavar="SCORE",
    help="Only those with at least this score of the model.",
)
@option(
    WHICH, "--max-score", type=float, metavar="SCORE", help="Only those with at most this score of the model."
)
@option(
    WHICH,
    "--start",
    callback=parse_time,
    metavar="TIME",
    help="Only those that were made at this time or later.",
)
@option(
    WHICH, "--end", callback=parse_time, metavar="TIME", help="Only those that were made before this time."
)
@option(
    OUTPUT,
    "--limit",
    type=click.IntRange(1),
    metavar="N",
    default=50,
    show_default=True,
    help="The largest number of explanations to list, the newest first.",
)
@option(OUTPUT, "--json", "as_json", is_flag=True, help="Print a line of JSON for each, instead of a table.")
@server_options(f"[default: {LOCAL}]")
@timeout_option
def explanation_list(limit: int, as_json: bool, **values: Any) -> None:
    """Lists stored explanations, newest first: the name that `sequela show` takes, when it was made, the caller id, the
    model, the score of the first target as the model returned it, the number of events, and the labels.
    """
    wanted = {name: values[name] for name in ("caller_id", "model", "labels", "start", "end")}
    scores = {name: values[name] for name in ("min_score", "max_score")}
    with connect(values) as sequela:
        # One more than is shown tells whether there are more.
        listed = sequela.list_explanations(**wanted, **scores, page_size=min(limit + 1, 1_000))
        found = list(islice(listed, limit + 1))
    if as_json:
        for each in found[:limit]:
            click.echo(json.dumps(plain(each), ensure_ascii=False))
        return
    console = terminal()
    if not found:
        console.print("There are no such explanations.")
        return
    console.print(_table(console, [printable(each) for each in found[:limit]]))
    if len(found) > limit:
        console.print(f"There are more than these {limit}; see --limit.")


def _table(console: Console, found: Iterable[ExplanationSummary]) -> Table:
    unicode = console.encoding.startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII, pad_edge=False)
    # A name that is broken in two cannot be copied.
    table.add_column("name", no_wrap=True)
    for head in ("made", "caller id", "model", "score", "events", "labels"):
        table.add_column(head, overflow="fold", justify="right" if head in {"score", "events"} else "left")
    for each in found:
        table.add_row(
            each.name.removeprefix("explanations/"),
            f"{each.create_time.astimezone():%Y-%m-%d %H:%M}",
            each.caller_id,
            readable(each.model),
            f"{each.targets[0].raw_score:.4f}" if each.targets else "",
            str(each.length),
            ", ".join(f"{key}={value}" for key, value in each.labels.items()),
        )
    return table
