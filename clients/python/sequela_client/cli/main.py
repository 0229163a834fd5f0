"""The command itself, and how its failures look: one line, and an exit code that says who must act."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import click

from sequela_client.cli.demo import demo
from sequela_client.cli.explain import explain
from sequela_client.cli.serve import serve
from sequela_client.cli.terminal import printable, write_in_any_encoding
from sequela_client.errors import CallerError, DeadlineExceeded, OperatorError, SequelaError, TryAgain

EXIT_CODES: Final[dict[type[SequelaError], int]] = {
    CallerError: 1,
    TryAgain: 3,
    DeadlineExceeded: 3,
    OperatorError: 4,
}
"""2 is click's own: the command was called wrongly."""


class Commands(click.Group):
    """The group; what the client raises becomes one red line on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except SequelaError as error:
            line = " ".join(printable(f"error: {error}{_advice(error)}").split())
            click.secho(line, fg="red", err=True)
            ctx.exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1))


def _advice(error: SequelaError) -> str:
    match error:
        case TryAgain(retry_after=float() as seconds):
            return f" (try again in {seconds:g} s)"
        case TryAgain():
            return " (try again)"
        case DeadlineExceeded():
            return " (allow more time with --timeout)"
        case _:
            return ""


def _version() -> str:
    try:
        return version("sequela")
    except PackageNotFoundError:
        return "unknown (not installed)"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="sequela")
def main() -> None:
    """Explains the scores of sequence models: which events, features and cells made the score."""
    write_in_any_encoding()


main.add_command(serve)
main.add_command(explain)
main.add_command(demo)
