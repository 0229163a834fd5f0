"""The options for debugging a wrong number. They become settings of the server that the command starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sequela_client.cli.grouped_help import Command, added, option

HEADING = "To debug a wrong number (without --server; see docs/debugging.md)"

_OPTIONS = [
    option(
        HEADING,
        "--trace",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Record how the numbers were computed, in a new folder in DIR, as files that numpy and pandas read. They "
        "contain the sequence.",
    ),
    option(
        HEADING,
        "--execution",
        type=click.Choice(["whole", "states"]),
        help="Run the model on whole sequences, or from states that coalitions share. [default: states if the model "
        "allows it]",
    ),
]

_OPERATORS = {
    "trace": ("--trace", "--trace-dir DIR (SEQUELA_TRACE_DIR)"),
    "execution": ("--execution", "--execution (SEQUELA_EXECUTION)"),
}
"""The flag of each option, and the setting of the server that does the same."""


@dataclass(frozen=True, slots=True)
class DiagnosticOptions:
    """What the server that the command starts records, and how it runs models.

    Args:
        trace: The folder for the records; None records nothing.
        execution: `whole` or `states`; None lets the server choose.
    """

    trace: Path | None
    execution: str | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> DiagnosticOptions:
        """Makes them from the values of a command's parameters."""
        return cls(values["trace"], values["execution"])

    def check_server(self, address: str | None) -> None:
        """Raises click.UsageError if a running server was named, because only its operator can set these options."""
        for name, (flag, setting) in _OPERATORS.items():
            if address is not None and getattr(self, name) is not None:
                raise click.UsageError(
                    f"{flag} cannot be used with --server: a request cannot set it for a running server; the server's "
                    f"operator can start the server with {setting}"
                )

    def settings(self) -> Iterator[str]:
        """Yields the arguments for the server."""
        if self.trace is not None:
            yield from ("--trace-dir", str(self.trace.absolute()))
        if self.execution is not None:
            yield from ("--execution", self.execution)

    def notes(self, explanation: str) -> Iterator[str]:
        """Yields a note about the trace of the explanation of this name, if one was recorded."""
        if self.trace is None:
            return
        folder = self.trace / explanation.rpartition("/")[2]
        # The folder of an explanation that was cut short does not have the explanation's name.
        yield f"the trace is in {folder if folder.is_dir() else self.trace}"


def diagnostic_options(command: Command) -> Command:
    """Adds the options to a command."""
    return added(command, _OPTIONS)
