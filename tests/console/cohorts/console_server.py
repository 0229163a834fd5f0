"""A console on a port of this machine, with cohorts and without a service."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from sequela_client import Sequela
from sequela_console.alert_index.index import AlertIndex
from sequela_console.app import build_app
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.context import Console
from sequela_console.settings import ConsoleSettings
from sequela_console.state.database import StateDatabase


@contextmanager
def console_server(cohorts: Path, state: Path) -> Iterator[str]:
    """Runs a console whose cohorts are the folders in `cohorts`, and yields its address."""
    settings = ConsoleSettings(server="localhost:1", state_folder=state)
    database = StateDatabase(state / "console.db")
    with Sequela(settings.server) as service, socket.create_server(("127.0.0.1", 0)) as listening:
        parts = Console(settings, database, AlertIndex(service, database), CohortCatalogue({}, cohorts))
        server = uvicorn.Server(
            uvicorn.Config(build_app(parts, service), log_level="error", access_log=False, lifespan="off")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
