"""`sequela explain`: one sequence from a file, explained in the terminal, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args

import click

from sequela_client.cli import file_inputs
from sequela_client.cli.file_options import file_options, load_background, take_reading, take_rows
from sequela_client.cli.local_server import embedded_server
from sequela_client.cli.model_layout import Layout, layout
from sequela_client.cli.model_names import model_file_there, with_names_there
from sequela_client.cli.progress import waiting
from sequela_client.cli.report import report
from sequela_client.cli.rows import RowOptions
from sequela_client.cli.terminal import printable, terminal
from sequela_client.client import Sequela
from sequela_client.errors import MODEL_NOT_FOUND, NotFound
from sequela_client.explanation import Explanation
from sequela_client.files import FileContent, is_data_file, load
from sequela_client.inputs import BackgroundLike
from sequela_client.inputs import Sequence as Given
from sequela_client.models import Endpoint, is_endpoint
from sequela_client.options import Estimator, FeatureScope, Level, Link

Command = Callable[..., Any]

ANY_ENDPOINT = (
    *("--endpoint-allow", "grpc://*:*/* grpcs://*:*/* http://*:*/* https://*:*/*"),
    *("--endpoint-networks", "0.0.0.0/0 ::/0"),
)


def _labels(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise click.BadParameter(f"{wrong[0]!r} is not KEY=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "--level",
        "levels",
        multiple=True,
        type=click.Choice(get_args(Level)),
        help="Only this level (repeatable).",
    ),
    click.option(
        "--target", "targets", multiple=True, help="Output to explain, by name or number (repeatable)."
    ),
    click.option("--pruning-tolerance", type=float, help="Eta; 0: no pruning."),
    click.option(
        "--feature-scope", type=click.Choice(get_args(FeatureScope)), help="Which events the features act on."
    ),
    click.option("--cell-threshold", type=float, help="Theta; events and features above it make the cells."),
    click.option("--top-k-events", type=int, help="This many events, instead of theta."),
    click.option("--top-k-features", type=int, help="This many features, instead of theta."),
    click.option("--max-coalitions", type=int, help="At most this many in each level."),
    click.option("--target-standard-error", type=float, help="Stop sampling there; 0: use the whole budget."),
    click.option("--seed", type=int, help="Seed of the sampling."),
    click.option(
        "--refine-history", is_flag=True, default=None, help="Split the pruned events while a part matters."
    ),
    click.option("--minimum-score", type=float, help="Below this raw score, do not explain."),
    click.option("--full-pruning-curve", is_flag=True, default=None, help="Scan every split."),
    click.option("--link", type=click.Choice(get_args(Link)), help="The scale to explain on."),
    click.option("--output-event", type=int, help="Explain the output at this event, t <= 0."),
    click.option(
        "--estimator", type=click.Choice(get_args(Estimator)), help="How attributions are estimated."
    ),
]
"""The options of the contract; whatever is left out takes the server's default."""


def with_options(command: Command) -> Command:
    """Adds the contract's options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def server_options(command: Command) -> Command:
    """Adds what says which server to ask, and how."""
    pem = click.Path(path_type=Path)
    for option in (
        click.option("--key", type=pem, metavar="FILE", help="The key of that certificate (PEM)."),
        click.option("--cert", type=pem, metavar="FILE", help="Use TLS and present this certificate (PEM)."),
        click.option(
            "--ca", type=pem, metavar="FILE", help="Use TLS and trust the authorities in this file (PEM)."
        ),
        click.option("--secure", is_flag=True, help="Use TLS and trust the system's authorities."),
        click.option("--server", metavar="HOST:PORT", help="The server to ask."),
    ):
        command = option(command)
    return command


def tls_arguments(secure: bool, ca: Path | None, cert: Path | None, key: Path | None) -> dict[str, Any]:
    """The options that say how to ask a server, as the client takes them."""
    return {"secure": secure, "ca": ca, "certificate": cert, "key": key}


EPILOG = """\b
Examples:
  sequela explain --model model.onnx --sequence alert.csv --background average.csv
  sequela explain --model model.onnx --sequence events.csv --entity account=4711 --time timestamp
  sequela explain --server host:50051 --model fraud --sequence alert.json --csv -

\b
Exit codes:
  0  done
  1  the request or a file is wrong: change it
  2  the command was called wrongly
  3  the server is busy or not there: try again
  4  the server refuses or is broken: its operator must act
"""


@click.command(short_help="Explain one sequence.", epilog=EPILOG)
@click.option(
    "--model", required=True, help="An ONNX file, a registered model's name, or grpc://host:port/name."
)
@click.option(
    "--schema", type=click.Path(path_type=Path), help="The schema.json of a model named by its endpoint."
)
@click.option(
    "--sequence",
    required=True,
    type=click.Path(path_type=Path),
    help="A file with the events, oldest first: .csv, .tsv, .txt, .json, .jsonl, .npy or .npz.",
)
@click.option("--background", help="A file of such a kind, or a name; without it the model's default.")
@file_options
@server_options
@click.option(
    "--json", "json_file", metavar="FILE", help="Write JSON to this file; - prints it and nothing else."
)
@click.option(
    "--csv", "csv_file", metavar="FILE", help="Write CSV to this file; - prints it and nothing else."
)
@click.option("--caller-id", help="Your id for the alert; by default the file's.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    callback=_labels,
    metavar="KEY=VALUE",
    help="Store this label (repeatable).",
)
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds for the explanation.")
@click.option("--rows", type=click.IntRange(1), default=20, show_default=True, help="Most rows of a table.")
@with_options
def explain(
    model: str,
    schema: Path | None,
    sequence: Path,
    background: str | None,
    server: str | None,
    secure: bool,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    json_file: str | None,
    csv_file: str | None,
    caller_id: str | None,
    labels: dict[str, str],
    timeout: float,
    rows: int,
    **options: Any,
) -> None:
    """Explains the score of a sequence in a file: prints what made it, and writes it as JSON or CSV.

    Without --server, one is started for the occasion. Columns of a table are matched with the model's features by
    name. What is left out or assumed is reported on standard error.
    """
    if schema and not is_endpoint(model):
        raise click.UsageError("--schema goes with a model named by its endpoint; a file's lies beside it")
    if server is None and (secure or ca or cert or key):
        raise click.UsageError(
            "--secure, --ca, --cert and --key go with --server; one that is started is your own"
        )
    model_file_there(model)
    reading, columns = take_reading(options), take_rows(options)
    given = load(sequence, reading)
    average = load_background(Path(background), reading) if background and is_data_file(background) else None
    wanted: Any = {name: value for name, value in options.items() if value not in (None, ())}
    with ExitStack() as stack:
        address = stack.enter_context(_own_server(model)) if server is None else server
        tls = tls_arguments(secure, ca, cert, key)
        sequela = stack.enter_context(Sequela(address, timeout=timeout, **tls))
        if server is not None:
            stack.enter_context(with_names_there(sequela))
        known = layout(sequela, model, schema) if _asks_for_layout(given, average) else None
        alert, base = _read(given, average, known, columns)
        stack.enter_context(waiting("explaining"))
        chosen = Endpoint(model, schema=schema) if schema else model
        answer = sequela.explain(
            alert, model=chosen, background=base or background, caller_id=caller_id, labels=labels, **wanted
        )
    _give_out(answer, json_file, csv_file, rows)


def _asks_for_layout(given: FileContent, average: FileContent | None) -> bool:
    return any(file_inputs.needs_layout(loaded) for loaded in (given, average) if loaded)


def _read(
    given: FileContent, average: FileContent | None, known: Layout | None, columns: RowOptions
) -> tuple[Given, BackgroundLike]:
    """Both files as the model takes them; what was assumed is said."""
    notes = file_inputs.Notes()
    alert = file_inputs.sequence(given, known, columns, notes)
    base = file_inputs.background(average, known, columns, notes) if average else None
    for note in notes.said:
        click.echo(printable(f"Note: {note}"), err=True)
    return alert, base


@contextmanager
def _own_server(model: str) -> Iterator[str]:
    """A server for this question alone: a model's name says nothing to it, and its user is its operator, who may name
    any endpoint.
    """
    with embedded_server(ANY_ENDPOINT if is_endpoint(model) else ()) as address:
        try:
            yield address
        except NotFound as unknown:
            if unknown.reason != MODEL_NOT_FOUND:
                raise
            hint = "(a name needs --server with a server that has it)"
            raise NotFound(f"{unknown} {hint}", reason=unknown.reason) from unknown


def _give_out(answer: Explanation, json_file: str | None, csv_file: str | None, rows: int) -> None:
    """Files as asked for; the report unless standard output is taken by one."""
    if json_file:
        _write(json_file, answer.to_json() + "\n")
    if csv_file:
        _write(csv_file, answer.to_csv())
    if "-" not in (json_file, csv_file):
        report(terminal(), answer, rows)


def _write(path: str, text: str) -> None:
    try:
        with click.open_file(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise click.FileError(path, error.strerror) from error
