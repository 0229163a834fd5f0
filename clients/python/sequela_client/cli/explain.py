"""`sequela explain`: explains one sequence from a file in the terminal, as JSON, CSV or an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from sequela_client.cli.diagnostic_options import DiagnosticOptions, diagnostic_options
from sequela_client.cli.file_options import (
    INPUT,
    file_options,
    load_background,
    row_options,
    schema_option,
    text_format,
)
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.model_names import check_model_file, check_needs_no_server, with_known_names
from sequela_client.cli.option_flags import explain_options, given_options
from sequela_client.cli.output_files import HEADING, OutputFiles, output_files
from sequela_client.cli.server_options import ServerOptions, check_named, server_options
from sequela_client.cli.stored_options import parse_labels
from sequela_client.cli.terminal import waiting
from sequela_client.client import Sequela
from sequela_client.files import FileContent, is_data_file, load
from sequela_client.inputs import BackgroundLike, Sequence
from sequela_client.local_server import embedded_server
from sequela_client.model_description import layout
from sequela_client.model_inputs import file_inputs
from sequela_client.model_inputs.layout import Layout
from sequela_client.model_inputs.rows import RowOptions
from sequela_client.models import Endpoint, is_endpoint
from sequela_client.options import FOOTNOTE
from sequela_client.printable_text import printable

# Settings of a server that may call any endpoint.
ANY_ENDPOINT = (
    *("--endpoint-allow", "grpc://*:*/* grpcs://*:*/* http://*:*/* https://*:*/*"),
    *("--endpoint-networks", "0.0.0.0/0 ::/0"),
)

EPILOG = f"""{FOOTNOTE}

\b
Examples:
  sequela explain --model model.onnx --sequence alert.csv --background average.csv
  sequela explain --model model.onnx --sequence events.csv --entity account=4711 --time timestamp
  sequela explain --server host:50051 --model fraud --sequence alert.json --csv -
  sequela explain --server host:50051 --model fraud --sequence alert.json --html alert.html

\b
Exit codes:
  0  the sequence was explained
  1  the request or a file is wrong: change it
  2  the command line is wrong
  3  the server is busy or cannot be reached, or the time was too short: try again
  4  the server refuses or is broken: its operator has to act
"""


@click.command(cls=GroupedCommand, short_help="Explain the score of one sequence.", epilog=EPILOG)
@option(
    INPUT,
    "--model",
    required=True,
    help="An ONNX file, the name of a model that the server has (m, or m/3 for version 3), or the URI of an "
    "endpoint, such as grpc://host:port/name.",
)
@schema_option
@option(
    INPUT,
    "--sequence",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The events, oldest first: .csv, .tsv, .txt, .json, .jsonl, .npy or .npz.",
)
@option(
    INPUT,
    "--background",
    metavar="FILE|NAME",
    help="A file of one of these kinds, or the name of a stored background. [default: the model's own]",
)
@file_options
@server_options("Without it, a server is started for this one explanation.")
@option(
    "Server",
    "--timeout",
    type=float,
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long the explanation may take. When the time is up, the best answer so far is returned.",
)
@output_files
@option(
    HEADING,
    "--rows",
    type=click.IntRange(1),
    metavar="N",
    default=20,
    show_default=True,
    help="The largest number of rows in each table.",
)
@option(HEADING, "--caller-id", metavar="ID", help="Your id for the sequence. [default: the id in the file]")
@option(
    HEADING,
    "--label",
    "labels",
    multiple=True,
    callback=parse_labels,
    metavar="KEY=VALUE",
    help="Store this label with the explanation; repeatable.",
)
@option(
    HEADING,
    "--dry-run",
    is_flag=True,
    help="Compute the explanation even if the server has it already, and do not store it.",
)
@explain_options
@diagnostic_options
def explain(**values: Any) -> None:
    """Explains the score of the sequence in a file: what raised it, what lowered it, and by how much.

    Columns of a table are matched with the model's features by name. What is left out or assumed is reported on
    standard error. docs/cli.md has the details, docs/files.md all kinds of files.
    """
    model, schema, server = values["model"], values["schema"], ServerOptions.of(values)
    diagnostics, files = DiagnosticOptions.of(values), OutputFiles.of(values)
    if schema and not is_endpoint(model):
        raise click.UsageError(
            "--schema goes with the URI of an endpoint; that of an ONNX file lies beside the file"
        )
    check_named(server.address)
    diagnostics.check_server(server.address)
    check_model_file(model)
    if server.address is None:
        check_needs_no_server(model)
    given, average = _load(values)
    with ExitStack() as stack:
        if server.address is None:
            sequela = Sequela(stack.enter_context(_own_server(model, diagnostics)), timeout=values["timeout"])
            stack.enter_context(sequela)
        else:
            sequela = stack.enter_context(server.connect(server.address, values["timeout"]))
            stack.enter_context(with_known_names(sequela, model))
        needed = any(file_inputs.needs_layout(each) for each in (given, average) if each)
        known = layout(sequela, model, schema) if needed else None
        sequence, background = _inputs(given, average, known, row_options(values))
        stack.enter_context(waiting("explaining"))
        answer = sequela.explain(
            sequence,
            model=Endpoint(model, schema=schema) if schema else model,
            background=background or values["background"],
            caller_id=values["caller_id"],
            labels=values["labels"],
            dry_run=values["dry_run"],
            **given_options(values),
        )
    _print_notes(diagnostics.notes(answer.name))
    files.write(answer, values["rows"])


def _load(values: dict[str, Any]) -> tuple[FileContent, FileContent | None]:
    """The files of the sequence and of the background, if that is a file."""
    written, background = text_format(values), values["background"]
    sequence = load(values["sequence"], written)
    if background and is_data_file(background):
        return sequence, load_background(Path(background), written)
    return sequence, None


def _inputs(
    given: FileContent, average: FileContent | None, known: Layout | None, columns: RowOptions
) -> tuple[Sequence, BackgroundLike]:
    """The sequence and the background that the model takes; assumptions are printed."""
    notes = file_inputs.Notes()
    sequence = file_inputs.sequence(given, known, columns, notes)
    background = file_inputs.background(average, known, columns, notes) if average else None
    _print_notes(notes.texts)
    return sequence, background


def _print_notes(texts: Iterable[str]) -> None:
    for text in texts:
        click.echo(printable(f"Note: {text}"), err=True)


@contextmanager
def _own_server(model: str, diagnostics: DiagnosticOptions) -> Iterator[str]:
    """A server for this explanation alone. Its user is its operator, who may call any endpoint."""
    endpoints = ANY_ENDPOINT if is_endpoint(model) else ()
    with ExitStack() as stack:
        with waiting("starting a server"):
            address = stack.enter_context(embedded_server([*endpoints, *diagnostics.settings()]))
        yield address
