"""`sequela explain-all`: explains all sequences of files, and writes Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sequela_client.cli.explain import ANY_ENDPOINT
from sequela_client.cli.file_options import INPUT, schema_option
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.model_names import check_model_file, check_needs_no_server
from sequela_client.cli.option_flags import HEADING, explain_options_without, given_options
from sequela_client.cli.server_options import check_named, credentials_of, servers_options
from sequela_client.files import is_data_file
from sequela_client.models import is_endpoint
from sequela_client.options import FOOTNOTE, OPTIONS
from sequela_client.printable_text import printable

if TYPE_CHECKING:
    from sequela_client.cohort import BulkQuestion, RunOptions
    from sequela_client.cohort.run import RunSummary

MAX_EXAMPLES = 5
"""The most reasons for which the summary shows a failed sequence."""
FORMAT, VARIANTS, OUTPUT, RUN = (
    "Format of CSV files",
    "Variants (each sequence is explained with all of them)",
    "Output",
    "Run",
)

EPILOG = f"""{FOOTNOTE}

\b
Examples:
  sequela explain-all events.parquet --entity account --time timestamp --model model.onnx --out cohort/
  sequela explain-all sequences.parquet --id account --label fraud --model model.onnx --out cohort/
  sequela explain-all alerts.npz --model fraud --server one:50051 --server two:50051 --out cohort/
  sequela explain-all events.csv --entity customer --time month --model churn-{{checkpoint}}.onnx
    --checkpoint 1 --checkpoint 200 --first-positive 0.5 --level event --out cohort/

\b
If it is interrupted, run the same command again to continue. Exit codes:
  0  all sequences are done; failed ones are in the output, with their reasons
  1  the request or a file is wrong, or every sequence failed: change it
  2  the command line is wrong
  3  a server is busy or cannot be reached: run the same command again
  4  the server refuses or is broken: its operator has to act
  130  it was interrupted: run the same command again
"""


@click.command("explain-all", cls=GroupedCommand, short_help="Explain all sequences of files.", epilog=EPILOG)
@click.argument("data", nargs=-1, required=True)
@option(
    INPUT,
    "--model",
    required=True,
    help="An ONNX file, the name of a model that the servers have (m, or m/3 for version 3), or the URI of an "
    "endpoint. {checkpoint} in it is replaced by each checkpoint.",
)
@schema_option
@option(
    INPUT,
    "--background",
    metavar="FILE|NAME",
    help="A file with the background, or the name of a stored one. [default: the model's own]",
)
@option(
    INPUT,
    "--entity",
    metavar="COLUMN",
    help="Each row is one event; rows with the same value here are one sequence. [default: a row is a sequence]",
)
@option(
    INPUT,
    "--time",
    "time_column",
    metavar="COLUMN",
    help="The column with the times of the events. The rows of a sequence are sorted by it.",
)
@option(
    INPUT,
    "--id",
    "id_column",
    metavar="COLUMN",
    help="The column with the ids, if each row is one sequence. [default: the number of the row]",
)
@option(
    INPUT,
    "--columns",
    metavar="A,B,…",
    help="The columns to take, in the model's order. [default: by the names of the features]",
)
@option(
    INPUT,
    "--label",
    "labels",
    multiple=True,
    metavar="COLUMN",
    help="A column that becomes a label of each sequence; if rows are events, by the value at the latest event. "
    "Repeatable.",
)
@option(
    INPUT,
    "--first-positive",
    type=float,
    metavar="SCORE",
    help="Explain each sequence at its first prediction above this score, and leave out sequences without one.",
)
@option(FORMAT, "--decimal", type=click.Choice([".", ","]), help="The decimal mark of numbers. [default: .]")
@option(
    FORMAT,
    "--encoding",
    metavar="NAME",
    help="The encoding of CSV files, for example cp1252. [default: UTF-8]",
)
@option(
    VARIANTS, "--checkpoint", "checkpoints", multiple=True, metavar="NAME", help="A checkpoint; repeatable."
)
@option(
    VARIANTS,
    "--checkpoint-column",
    metavar="COLUMN",
    help="The column that names the checkpoint of each sequence, instead of --checkpoint.",
)
@option(VARIANTS, "--seeds", type=click.IntRange(1), metavar="N", help="Use the seeds 0 to N - 1.")
@option(
    VARIANTS,
    "--pruning-tolerance",
    "tolerances",
    type=float,
    multiple=True,
    metavar="X",
    help=f"{OPTIONS['pruning_tolerance'].about.help} Repeatable. "
    f"[default: {OPTIONS['pruning_tolerance'].about.default}]",
)
@option(
    OUTPUT,
    "--out",
    required=True,
    metavar="FOLDER",
    help="The folder for the results. If it has results of the same run already, only the missing ones are added.",
)
@option(
    OUTPUT,
    "--part-rows",
    type=click.IntRange(1),
    metavar="N",
    default=1_000,
    show_default=True,
    help="How many rows each file has.",
)
@option(OUTPUT, "--retry-failed", is_flag=True, help="Explain failed sequences again.")
@option(
    OUTPUT,
    "--stop-after-failures",
    type=click.IntRange(0),
    metavar="N",
    default=100,
    show_default=True,
    help="End with an error if the first N rows all fail for the same reason; 0 turns this off.",
)
@servers_options("Without it, servers are started on this machine.")
@option(
    RUN,
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="How many servers are started, without --server. [default: one for each core]",
)
@option(
    RUN,
    "--timeout",
    type=float,
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long one explanation may take. When the time is up, the best answer so far is taken.",
)
@option(
    RUN,
    "--memory",
    metavar="SIZE",
    default="512MB",
    show_default=True,
    help="Memory for sorting events; what does not fit is sorted on disk.",
)
@option(
    RUN,
    "--temp-dir",
    metavar="FOLDER",
    help="The folder for sorting on disk. [default: the system's temporary folder]",
)
@option(
    HEADING,
    "--target",
    metavar="NAME",
    help="The output to explain, by name or column number. [default: the model's only one]",
)
@explain_options_without(("targets", "pruning_tolerance"))
def explain_all(**values: Any) -> None:
    """Explains all sequences of files, and writes one row for each of them to Parquet files in a folder.

    DATA: Parquet or CSV files, patterns with *, a folder of Parquet files, or one .npy or .npz file. docs/bulk.md has
    an example of each, and the columns of the results.
    """
    from sequela_client.cohort.progress_display import shown_in_command  # noqa: PLC0415 it needs the extra `cohort`
    from sequela_client.cohort.run import run  # noqa: PLC0415

    question, options = _question(values), _run_options(values)
    _check_models(question, options)
    try:
        with shown_in_command() as show:
            summary = run(values["data"], values["out"], question, options, show)
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. {values['out']} keeps what is done; run the same command again to continue.",
            err=True,
        )
        raise SystemExit(130) from None
    _print_summary(summary, values["out"])
    if summary.failed and not summary.explained and not summary.below_minimum:
        click.echo("error: every sequence failed, for the reasons above", err=True)
        raise SystemExit(1)


def _question(values: Mapping[str, Any]) -> BulkQuestion:
    from sequela_client.cohort import BulkQuestion  # noqa: PLC0415

    background, tolerances = values["background"], values["tolerances"]
    given = given_options(values)
    if len(tolerances) == 1:
        given["pruning_tolerance"] = tolerances[0]
    named = (values["columns"] or "").split(",")
    return BulkQuestion(
        values["model"],
        Path(background) if background and is_data_file(background) else background,
        values["target"],
        {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()},
        entity=values["entity"],
        time=values["time_column"],
        id=values["id_column"],
        labels=values["labels"],
        columns=tuple(name.strip() for name in named if name.strip()),
        checkpoints=values["checkpoints"],
        checkpoint_column=values["checkpoint_column"],
        seeds=tuple(range(values["seeds"] or 0)),
        tolerances=tolerances if len(tolerances) > 1 else (),
        first_positive=values["first_positive"],
        timeout=values["timeout"],
        schema=str(values["schema"]) if values["schema"] else None,
        decimal=values["decimal"],
        encoding=values["encoding"],
    )


def _run_options(values: Mapping[str, Any]) -> RunOptions:
    from sequela_client.cohort import Memory, RunOptions  # noqa: PLC0415

    check_named(values["servers"])
    if values["workers"] and values["servers"]:
        raise click.UsageError("--workers does not go with --server: the named servers do the work")
    return RunOptions(
        values["servers"],
        credentials_of(values),
        values["workers"],
        ANY_ENDPOINT if is_endpoint(values["model"]) else (),
        values["part_rows"],
        Memory(values["memory"], values["temp_dir"]),
        values["retry_failed"],
        values["stop_after_failures"],
    )


def _check_models(question: BulkQuestion, options: RunOptions) -> None:
    """Raises CallerError if a model is not there. Those of a column of checkpoints are found out later."""
    if question.checkpoint_column is not None:
        return
    for checkpoint in question.checkpoints or (None,):
        name = question.model_name(checkpoint)
        check_model_file(name)
        if not options.servers:
            check_needs_no_server(name)


def _print_summary(summary: RunSummary, out: str) -> None:
    """Prints what a run did."""
    from sequela_client.cohort.progress_display import duration  # noqa: PLC0415

    rate = f", {summary.added / summary.seconds:.1f}/s" if summary.added and summary.seconds else ""
    failed = sum(summary.failed.values())
    click.echo(f"{summary.added:,} rows added in {duration(summary.seconds)}{rate}; {out} has:")
    click.echo(f"  {summary.explained:,} explained")
    if summary.below_minimum:
        click.echo(f"  {summary.below_minimum:,} below the minimum score, not explained")
    if failed:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.failed.items())
        click.echo(f"  {failed:,} failed: {reasons}")
        for reason, example in list(summary.examples.items())[:MAX_EXAMPLES]:
            click.echo(f"    {reason}, for example sequence {printable(example)}")
