"""`sequela list`: lists stored explanations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

import click
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from sequela_client.cli.explanation_names import beginnings, short_name
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.model_names import with_version
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
    help="Only those with this label. Repeatable: only those with all of the labels.",
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
    """Lists stored explanations, newest first: the name or the beginning of it, which `sequela show` takes; when it was
    made, the caller id, the model, the score of the first target as the model returned it, the number of events, and
    the labels. If the output is not a terminal, each explanation is a line of these, separated by tabs,
    with the whole name.
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
    _print(terminal(), [printable(each) for each in found], limit)


def _print(console: Console, found: Sequence[ExplanationSummary], limit: int) -> None:
    if not found:
        click.echo("There are no such explanations.", err=True)
    elif console.is_terminal:
        console.print(_table(console, found[:limit]))
    else:
        for each in found[:limit]:
            click.echo("\t".join([short_name(each.name), *_cells(each), _labels(each)]))
    if len(found) > limit:
        click.echo(f"There are more than these {limit}; see --limit.", err=True)


def _table(console: Console, found: Sequence[ExplanationSummary]) -> Table:
    unicode = console.encoding.startswith("utf")
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII, pad_edge=False)
    labelled = any(each.labels for each in found)
    for head in (
        "name",
        "made",
        "caller id\nlabels" if labelled else "caller id",
        "model",
        "score",
        "events",
    ):
        # A name that is broken in two cannot be copied, and a number cannot be read. The other cells may be long.
        long = head == "model" or head.startswith("caller id")
        justify: JustifyMethod = "right" if head in {"score", "events"} else "left"
        table.add_column(head, no_wrap=not long, overflow="fold", justify=justify)
    for name, each in zip(beginnings(each.name for each in found), found, strict=True):
        made, caller_id, *rest = _cells(each)
        table.add_row(name, made, "\n".join(filter(None, (caller_id, _labels(each)))), *rest)
    return table


def _cells(each: ExplanationSummary) -> list[str]:
    """When it was made, the caller id, the model, the score and the number of events."""
    score = f"{each.targets[0].raw_score:.4f}" if each.targets else ""
    made = f"{each.create_time.astimezone():%Y-%m-%d %H:%M}"
    return [made, each.caller_id, with_version(each.model), score, str(each.length)]


def _labels(each: ExplanationSummary) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(each.labels.items()))
