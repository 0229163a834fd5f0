"""`sequela demo`: starts a server with the bundled model, and explains one of the bundled alerts."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import click
from rich.console import Console

from sequela_client.cli.output_files import OutputFiles
from sequela_client.cli.terminal import terminal, waiting
from sequela_client.client import Sequela
from sequela_client.files import read_sequence
from sequela_client.local_server import embedded_server, server_package


@click.command(
    short_help="Explain a bundled alert about an account takeover.",
    epilog="Example: sequela demo --alert false-alert",
)
@click.option("--alert", metavar="NAME", help="One of the bundled alerts. [default: the first takeover]")
@click.option(
    "--rows",
    type=click.IntRange(1),
    metavar="N",
    default=8,
    show_default=True,
    help="The largest number of rows in each table.",
)
@click.option("--html", "html_file", metavar="FILE", help="Write one HTML page with figures to this file.")
def demo(alert: str | None, rows: int, html_file: str | None) -> None:
    """Starts a server with the bundled fraud model, explains a simulated alert, and prints what raised its score."""
    folder, files = server_package() / "demo", OutputFiles.of({"html_file": html_file})
    given = read_sequence(_alert(folder / "alerts", alert))
    models = folder / "models"
    with ExitStack() as stack:
        with waiting("starting a server"):
            address = stack.enter_context(embedded_server(["--model-repository", str(models)]))
        sequela = stack.enter_context(Sequela(address))
        stack.enter_context(waiting("explaining"))
        answer = sequela.explain(given, model=_only(models))
    if files.write(answer, rows):
        _print_more(terminal())


def _alert(folder: Path, name: str | None) -> Path:
    """Returns the file of the named alert, or of the first takeover."""
    names = sorted(path.stem for path in folder.glob("*.json"))
    if not names:
        raise click.ClickException(f"there are no alerts in {folder}; reinstall sequela")
    if name is None:
        name = next((each for each in names if each.startswith("takeover")), names[0])
    if name not in names:
        raise click.BadParameter(f"{name!r} is not one of {', '.join(names)}", param_hint="--alert")
    return folder / f"{name}.json"


def _only(models: Path) -> str:
    return min(path.name for path in models.iterdir() if path.is_dir())


def _print_more(console: Console) -> None:
    console.print("Look at alerts and cohorts in a browser:")
    # In a clone, `make console` also installs what the console needs.
    console.print(f"{_command()} console --demo" if find_spec("duckdb") else "make console")
    console.print("Explain your own:")
    console.print(
        f"{_command()} explain --model model.onnx --sequence alert.json --background average.json",
        soft_wrap=True,
    )


def _command() -> str:
    """The command as it can be called here: with its folder if the shell does not find it."""
    called = Path(sys.argv[0])
    if which("sequela") or called.name != "sequela":
        return "sequela"
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)
