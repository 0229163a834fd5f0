"""`sequela capacity`: measures what explanations cost here, and says what a number of alerts a second needs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from sequela_client.cli.capacity_measurement import (
    DEMO_MODEL,
    Workload,
    demo_repository,
    measure_here,
    measure_there,
    name_in,
    one_core_server,
    repository_of,
)
from sequela_client.cli.capacity_plan import Deployment, Measurement, plan
from sequela_client.cli.capacity_report import json_report, print_report
from sequela_client.cli.file_options import INPUT
from sequela_client.cli.grouped_help import GroupedCommand, option
from sequela_client.cli.option_flags import explain_options_without, given_options
from sequela_client.cli.output_files import HEADING as OUTPUT
from sequela_client.cli.server_options import ServerOptions, check_named, server_options
from sequela_client.cli.terminal import printing, waiting
from sequela_client.client import Sequela
from sequela_client.files import load
from sequela_client.inputs import BackgroundLike, Sequence
from sequela_client.local_server import server_package
from sequela_client.model_description import layout
from sequela_client.model_inputs import file_inputs
from sequela_client.model_inputs.rows import RowOptions
from sequela_client.options import FOOTNOTE
from sequela_client.printable_text import printable

EPILOG = f"""{FOOTNOTE}

Example: sequela capacity --model fraud/model.onnx --sequence alert.json --rate 50
"""
RATES = (10.0, 1_000.0, 100_000.0)
DEPLOYMENT = "What you would run"
_DEFAULT = Deployment()
_DAY = 86_400.0
_FILE = click.Path(path_type=Path)


@click.command(
    cls=GroupedCommand,
    short_help="Say how many cores, replicas and bytes a rate of alerts needs.",
    epilog=EPILOG,
)
@option(
    INPUT,
    "--model",
    metavar="FILE|FOLDER|NAME",
    help="An ONNX file, the folder of a model, or with --server the name of a model there. [default: the demo's model]",
)
@option(
    INPUT,
    "--sequence",
    "sequences",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="A sequence as for `sequela explain`; repeatable. Give a few that are typical. [default: the demo's alerts]",
)
@option(INPUT, "--background", type=_FILE, metavar="FILE", help="A background. [default: the model's own]")
@option(
    INPUT,
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    help="How long to measure.",
)
@option(
    DEPLOYMENT,
    "--rate",
    "rates",
    multiple=True,
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Alerts a second; repeatable. [default: 10, 1000 and 100000]",
)
@option(
    DEPLOYMENT,
    "--utilisation",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    default=_DEFAULT.utilisation,
    show_default=True,
    help="The share of the cores that is used on average.",
)
@option(
    DEPLOYMENT,
    "--cores-per-replica",
    type=click.IntRange(1),
    metavar="N",
    default=_DEFAULT.cores_per_replica,
    show_default=True,
    help="The cores of a replica.",
)
@option(
    DEPLOYMENT,
    "--retention-days",
    type=click.FloatRange(0, min_open=True),
    metavar="DAYS",
    default=_DEFAULT.retention_seconds / _DAY,
    show_default=True,
    help="How long explanations are kept; the server's --explanation-ttl.",
)
@option(
    OUTPUT,
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON, in seconds and bytes, instead of a table.",
)
@server_options("Without it, a server is started for the measurement, on one core.")
@option(
    "Server",
    "--timeout",
    type=float,
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long one explanation may take.",
)
@explain_options_without(("seed",))
def capacity(**values: Any) -> None:
    """Explains a few alerts for some seconds, and computes from the measurements what a rate of alerts needs: cores,
    replicas, memory, and Redis.

    A server is started with one engine on one core of this machine. With --server, one that runs already is asked
    instead, and stores nothing.
    """
    measured = _measured(values)
    chosen = Deployment(values["utilisation"], values["cores_per_replica"], values["retention_days"] * _DAY)
    plans = [plan(measured, rate, chosen) for rate in values["rates"] or RATES]
    if values["as_json"]:
        click.echo(json_report(measured, plans, chosen))
        return
    with printing() as console:
        print_report(console, measured, plans, chosen)


def _measured(values: dict[str, Any]) -> Measurement:
    server = ServerOptions.of(values)
    check_named(server.address)
    if values["model"] and not values["sequences"]:
        raise click.UsageError(
            "--model goes with --sequence: give a few sequences that are typical for the model"
        )
    with ExitStack() as stack:
        if server.address:
            sequela = stack.enter_context(server.connect(server.address, values["timeout"]))
            work = _workload(sequela, values["model"] or DEMO_MODEL, values)
            stack.enter_context(waiting("measuring"))
            return measure_there(sequela, work, values["seconds"])
        model = values["model"]
        repository = stack.enter_context(repository_of(Path(model))) if model else demo_repository()
        with waiting("starting a server"):
            here = stack.enter_context(one_core_server(repository, values["timeout"]))
        work = _workload(here.sequela, name_in(repository), values)
        stack.enter_context(waiting("measuring"))
        return measure_here(here, work, values["seconds"])


def _workload(sequela: Sequela, model: str, values: dict[str, Any]) -> Workload:
    """The sequences and the background as the model takes them; assumptions are printed."""
    files = values["sequences"] or sorted((server_package() / "demo" / "alerts").glob("*.json"))
    notes = file_inputs.Notes()
    sequences = tuple(_sequence(sequela, model, file, notes) for file in files)
    background = _background(sequela, model, values["background"], notes)
    for text in notes.texts:
        click.echo(printable(f"Note: {text}"), err=True)
    return Workload(model, sequences, background, given_options(values))


def _sequence(sequela: Sequela, model: str, file: Path, notes: file_inputs.Notes) -> Sequence:
    given = load(file)
    known = layout(sequela, model, None) if file_inputs.needs_layout(given) else None
    return file_inputs.sequence(given, known, RowOptions(), notes)


def _background(sequela: Sequela, model: str, file: Path | None, notes: file_inputs.Notes) -> BackgroundLike:
    if file is None:
        return None
    given = load(file)
    known = layout(sequela, model, None) if file_inputs.needs_layout(given) else None
    return file_inputs.background(given, known, RowOptions(), notes)
