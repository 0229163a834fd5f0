"""What can be said of files: how a text file is written, and what its columns are."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sequela_client.cli.rows import RowOptions
from sequela_client.errors import CallerError
from sequela_client.files import FileContent, TextFormat, load

Command = Callable[..., Any]

_OPTIONS: list[Callable[[Command], Command]] = [
    click.option(
        "--columns",
        metavar="A,B,…",
        help="Columns of the file to take, in the model's order: names, or numbers from 1 where there are none.",
    ),
    click.option(
        "--entity",
        metavar="COLUMN=VALUE",
        help="Take the rows of this sequence, from a file with several.",
    ),
    click.option("--time", "time_column", metavar="COLUMN", help="The column with the time of each event."),
    click.option("--id", "id_column", metavar="COLUMN", help="The column with your id of each event."),
    click.option("--sort-by", metavar="COLUMN", help="Sort the rows by this column, the smallest first."),
    click.option(
        "--header/--no-header", default=None, help="Whether the first row of a text file holds names."
    ),
    click.option("--delimiter", help="Column separator of a text file: , ; | tab or space."),
    click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark of a text file."),
    click.option("--encoding", help="Encoding of a text file, for example cp1252."),
]


def file_options(command: Command) -> Command:
    """Adds these options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_reading(options: dict[str, Any]) -> TextFormat:
    """How text files are written, as the options say; takes them out."""
    return TextFormat(**{name: options.pop(name) for name in ("header", "delimiter", "decimal", "encoding")})


def take_rows(options: dict[str, Any]) -> RowOptions:
    """What columns and rows are, as the options say; takes them out."""
    named = next(csv.reader([options.pop("columns") or ""], skipinitialspace=True), [])
    columns = tuple(name.strip() for name in named if name.strip())
    entity, time = options.pop("entity"), options.pop("time_column")
    return RowOptions(columns, entity, time, options.pop("id_column"), options.pop("sort_by"))


def load_background(path: Path, reading: TextFormat) -> FileContent:
    """A background's file, which may be written otherwise than the sequence's: what was said of that is used where this
    one does not speak for itself.
    """
    try:
        return load(path, replace(reading, header=None))
    except CallerError:
        if reading.header is None:
            raise
        return load(path, reading)
