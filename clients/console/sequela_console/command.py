"""`sequela console`: starts the console."""

from __future__ import annotations

from pathlib import Path

import click
import uvicorn
from sequela_client.client import Sequela

from sequela_console.alert_index.index import AlertIndex
from sequela_console.app import build_app
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.context import Console
from sequela_console.settings import DEFAULT_PORT, ConsoleSettings
from sequela_console.state.database import StateDatabase


@click.command(short_help="Look at explanations and cohorts in a browser.")
@click.option("--server", metavar="HOST:PORT", default="localhost:50051", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True)
@click.option("--state-dir", metavar="FOLDER", type=click.Path(path_type=Path), required=True)
@click.option("--cohort", "cohorts", metavar="FOLDER", type=click.Path(path_type=Path), multiple=True)
def console(server: str, host: str, port: int, state_dir: Path, cohorts: tuple[Path, ...]) -> None:
    """Starts the console: a web application for the explanations that a server stores, and for cohorts."""
    settings = ConsoleSettings(
        server=server,
        host=host,
        port=port,
        state_folder=state_dir,
        cohorts={each.name: each for each in cohorts},
    )
    with Sequela(server) as service:
        state = StateDatabase(state_dir / "console.db")
        parts = Console(settings, state, AlertIndex(service, state), CohortCatalogue(settings.cohorts))
        uvicorn.run(build_app(parts, service), host=host, port=port, log_level="warning", access_log=False)
