"""`sequela console`: runs the command of the package `sequela_console`, which needs the extra `console`."""

from __future__ import annotations

import click

from sequela_client.extras import require


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Look at explanations and cohorts in a browser.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def console(arguments: tuple[str, ...]) -> None:
    """Starts the console. `sequela console --help` lists its options."""
    require("duckdb", "console")
    require("starlette", "console")
    module = require("sequela_console.command", "console")
    module.console.main(args=list(arguments), prog_name="sequela console", standalone_mode=False)
