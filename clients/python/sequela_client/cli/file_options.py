"""Options about files: the format of a text file, and the meaning of its columns and rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sequela_client.cli.grouped_help import Command, added, option
from sequela_client.errors import CallerError
from sequela_client.files import FileContent, TextFormat, load
from sequela_client.model_inputs.rows import RowOptions

INPUT = "Input"
ROWS, FORMAT = "Columns and rows of a table", "Format of a text file (normally detected)"

schema_option = option(
    INPUT,
    "--schema",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The schema.json of an endpoint. For an ONNX file it is read from the file's folder.",
)

_OPTIONS = [
    option(
        ROWS,
        "--columns",
        metavar="A,B,…",
        help="The columns to take, in the model's order: names, or numbers from 1 if there are no names. "
        "[default: by the names of the features]",
    ),
    option(
        ROWS,
        "--entity",
        metavar="COLUMN=VALUE",
        help="Take the rows with this value, from a file with several sequences.",
    ),
    option(ROWS, "--time", "time_column", metavar="COLUMN", help="The column with the time of each event."),
    option(ROWS, "--id", "id_column", metavar="COLUMN", help="The column with your id for each event."),
    option(
        ROWS, "--sort-by", metavar="COLUMN", help="Sort the rows by this column, the smallest value first."
    ),
    option(
        FORMAT,
        "--header/--no-header",
        default=None,
        help="Whether the first row contains the names of the columns.",
    ),
    option(FORMAT, "--delimiter", metavar="CHARACTER", help="The separator of columns: , ; | tab or space."),
    option(FORMAT, "--decimal", type=click.Choice([".", ","]), help="The decimal mark of numbers."),
    option(FORMAT, "--encoding", metavar="NAME", help="The encoding of the text, for example cp1252."),
]


def file_options(command: Command) -> Command:
    """Adds these options to a command."""
    return added(command, _OPTIONS)


def text_format(values: Mapping[str, Any]) -> TextFormat:
    """Returns the format of text files, from the values of a command's parameters."""
    return TextFormat(**{name: values[name] for name in ("header", "delimiter", "decimal", "encoding")})


def row_options(values: Mapping[str, Any]) -> RowOptions:
    """Returns the options about rows and columns, from the values of a command's parameters."""
    named = next(csv.reader([values["columns"] or ""], skipinitialspace=True), [])
    columns = tuple(name.strip() for name in named if name.strip())
    return RowOptions(
        columns, values["entity"], values["time_column"], values["id_column"], values["sort_by"]
    )


def load_background(path: Path, written: TextFormat) -> FileContent:
    """Loads a background. --header is about the sequence, so it is used here only if the file is ambiguous."""
    try:
        return load(path, replace(written, header=None))
    except CallerError:
        if written.header is None:
            raise
        return load(path, written)
