"""Files that an explanation is written to, and the report on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from sequela_client.cli.grouped_help import Command, added, option
from sequela_client.cli.report import report
from sequela_client.cli.terminal import printing
from sequela_client.explanation import Explanation
from sequela_client.pages.alert import check_installed

HEADING = "Output"

_FILES = [
    option(
        HEADING,
        "--json",
        "json_file",
        metavar="FILE",
        help="Write JSON to this file; - prints it instead of the report.",
    ),
    option(
        HEADING,
        "--csv",
        "csv_file",
        metavar="FILE",
        help="Write CSV to this file; - prints it instead of the report.",
    ),
    option(
        HEADING,
        "--html",
        "html_file",
        metavar="FILE",
        help="Write one HTML page with figures to this file; - prints it instead of the report.",
    ),
]


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """Where an explanation is written to; `-` is standard output. None: such a file is not written."""

    json: str | None = None
    csv: str | None = None
    html: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> OutputFiles:
        """From the values of a command's parameters.

        Raises:
            CallerError: a page is asked for, and what makes it is not installed.
        """
        if values["html_file"]:
            check_installed()
        return cls(values.get("json_file"), values.get("csv_file"), values["html_file"])

    def write(self, answer: Explanation, rows: int) -> bool:
        """Writes the files, and prints the report unless one of them goes to standard output.

        Args:
            answer: the explanation.
            rows: how many rows each table of the report has at most.

        Returns:
            Whether the report was printed.
        """
        if self.json:
            write_file(self.json, answer.to_json() + "\n")
        if self.csv:
            write_file(self.csv, answer.to_csv())
        if self.html:
            write_file(self.html, answer.to_html())
        printed = "-" not in (self.json, self.csv, self.html)
        if printed:
            with printing() as console:
                report(console, answer, rows)
        return printed


def output_files(command: Command) -> Command:
    """A decorator that adds the options of all files."""
    return added(command, _FILES)


def write_file(path: str, text: str) -> None:
    """Writes a text to a file, or to standard output if the path is `-`."""
    try:
        with click.open_file(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise click.FileError(path, error.strerror) from error
