"""`sequela show`: shows a stored explanation."""

from __future__ import annotations

import json
from typing import Any

import click

from sequela_client.cli.explanation_names import read_explanation
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.output_files import HEADING, OutputFiles, output_files, write_file
from sequela_client.cli.server_options import server_options
from sequela_client.cli.stored_options import LOCAL, connect, timeout_option
from sequela_client.errors import CallerError
from sequela_client.explanation import Explanation
from sequela_client.explanation_parts import SequenceState
from sequela_client.export import plain

EPILOG = """\b
Examples:
  sequela show 3f0c2d --server fraud.example
  sequela show 3f0c2d --server fraud.example --html alert.html --sequence alert.json
"""
_STATES = {
    SequenceState.KEPT: "the server has kept the sequence; --sequence FILE writes it",
    SequenceState.NOT_KEPT: "the server is set not to keep sequences (--no-keep-sequences)",
    SequenceState.UNKNOWN: "the server does not say whether it keeps sequences",
}


@click.command("show", cls=GroupedCommand, short_help="Show a stored explanation.", epilog=EPILOG)
@click.argument("name")
@output_files
@option(
    HEADING,
    "--sequence",
    metavar="FILE",
    help="Write the sequence that was explained to this file, as JSON that `sequela explain --sequence` reads; - "
    "prints it instead of the report.",
)
@option(
    HEADING,
    "--rows",
    type=click.IntRange(1),
    metavar="N",
    default=20,
    show_default=True,
    help="The largest number of rows in each table.",
)
@server_options(f"[default: {LOCAL}]")
@timeout_option
def explanation_page(name: str, sequence: str | None, **values: Any) -> None:
    """Shows the stored explanation NAME as `sequela explain` does, and writes it to files. The name is that of `sequela
    list`, with or without "explanations/"; its beginning is enough if no other name begins so.
    """
    files = OutputFiles.of(values)
    with connect(values) as sequela:
        answer = read_explanation(sequela, name)
    if sequence is not None:
        write_file(sequence, _sequence_json(answer))
    if sequence != "-" and files.write(answer, values["rows"]):
        click.echo(f"Note: {_STATES[answer.sequence_state]}.", err=True)


def _sequence_json(answer: Explanation) -> str:
    """The sequence in the form of sequence files.

    Raises:
        CallerError: the server has not kept it.
    """
    if answer.sequence is None:
        text = f"explanation {answer.name}: has no sequence: {_STATES[answer.sequence_state]}"
        raise CallerError(text, reason="SEQUENCE_NOT_KEPT")
    return json.dumps(plain(answer.sequence), ensure_ascii=False, allow_nan=False) + "\n"
