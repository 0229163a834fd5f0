"""The command itself, and how its failures look: one line, and an exit code that says who must act."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import click

from sequela_client.cli.demo import demo
from sequela_client.cli.explain import explain
from sequela_client.cli.models import models
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

EPILOG = """\b
Begin with:
  sequela demo
  sequela explain --model model.onnx --sequence alert.csv
  sequela explain --help

\b
Exit codes: 0 done, 1 the request or a file is wrong, 2 the command was called wrongly, 3 try again,
4 the operator must act.
"""


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
        except (click.ClickException, click.exceptions.Exit, click.Abort, EOFError, BrokenPipeError):
            raise
        except Exception as error:
            # A fault of our own: one line for who runs the command, the trace for who asks Python for it.
            if sys.flags.dev_mode:
                raise
            line = " ".join(printable(f"error: unexpected {type(error).__name__}: {error}").split())
            click.secho(f"{line} (a fault of sequela: please report it)", fg="red", err=True)
            ctx.exit(1)


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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(_version(), prog_name="sequela")
def main() -> None:
    """Explains the scores of sequence models: which events, features and cells made the score."""
    write_in_any_encoding()


main.add_command(serve)
main.add_command(explain)
main.add_command(demo)
main.add_command(models)
