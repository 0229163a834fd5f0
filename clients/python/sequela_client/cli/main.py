"""The command `sequela`. An error is printed as one line on standard error, and the exit code says who has to act."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import click

from sequela_client.cli.access_token import token
from sequela_client.cli.capacity import capacity
from sequela_client.cli.cohort_report import cohort_report
from sequela_client.cli.console import console
from sequela_client.cli.demo import demo
from sequela_client.cli.explain import explain
from sequela_client.cli.explain_all import explain_all
from sequela_client.cli.explanation_list import explanation_list
from sequela_client.cli.explanation_page import explanation_page
from sequela_client.cli.explanation_removal import explanation_removal
from sequela_client.cli.models import models
from sequela_client.cli.option_flags import error_with_flags
from sequela_client.cli.serve import serve
from sequela_client.cli.terminal import write_in_any_encoding
from sequela_client.errors import (
    CallerError,
    DeadlineExceeded,
    OperatorError,
    SequelaError,
    TimeSpentWaiting,
    TryAgain,
)
from sequela_client.printable_text import printable

# Exit codes by the class of the error. 2 is click's own, for a wrong command line.
EXIT_CODES: Final[dict[type[SequelaError], int]] = {
    CallerError: 1,
    TryAgain: 3,
    DeadlineExceeded: 3,
    OperatorError: 4,
}

EPILOG = """\b
Begin with:
  sequela demo
  sequela explain --model model.onnx --sequence alert.csv
  sequela explain --help

\b
Exit codes: 0 done, 1 the request or a file is wrong, 2 the command line is wrong, 3 try again,
4 the server's operator has to act.
"""


class Commands(click.Group):
    """The group of all commands. It prints an error of the client as one red line and sets the exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except SequelaError as error:
            _print_error(f"error: {error_with_flags(str(error))}{_advice(error)}")
            # The classes are related: a NotFound is a CallerError, and exits with its code.
            ctx.exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1))
        except (click.ClickException, click.exceptions.Exit, click.Abort, EOFError, BrokenPipeError):
            raise
        except Exception as error:
            # A bug in sequela: whoever runs the command needs one line only. `python -X dev` shows the traceback.
            if sys.flags.dev_mode:
                raise
            _print_error(
                f"error: unexpected {type(error).__name__}: {error} (a bug in sequela: please report it)"
            )
            ctx.exit(1)


def _print_error(text: str) -> None:
    click.secho(" ".join(printable(text).split()), fg="red", err=True)


def _advice(error: SequelaError) -> str:
    """What to do, unless the message says it already."""
    match error:
        case TryAgain() | DeadlineExceeded() if _says_what_to_do(error):
            return ""
        case TimeSpentWaiting(retry_after=float() as seconds):
            return f" (try again in {seconds:g} s, or with a longer --timeout)"
        case TryAgain(retry_after=float() as seconds):
            return f" (try again in {seconds:g} s)"
        case TryAgain():
            return " (try again)"
        case DeadlineExceeded():
            return " (allow more time with --timeout)"
        case _:
            return ""


def _says_what_to_do(error: SequelaError) -> bool:
    if isinstance(error, TryAgain) and "try again" in error.message:
        return True
    return isinstance(error, DeadlineExceeded) and "--timeout" in error_with_flags(error.message)


def _version() -> str:
    try:
        return version("sequela")
    except PackageNotFoundError:
        return "unknown (not installed)"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(_version(), prog_name="sequela")
def main() -> None:
    """Explains the scores of sequence models: which events, features and single cells (a feature at an event) raised or
    lowered a score, and by how much.
    """
    write_in_any_encoding()


for _command in (
    capacity,
    console,
    demo,
    explain,
    explain_all,
    explanation_list,
    explanation_page,
    explanation_removal,
    models,
    cohort_report,
    serve,
    token,
):
    main.add_command(_command)
