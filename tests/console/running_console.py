"""A real console in this process, beside a real service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sequela_console.server import ConsoleServer
from sequela_console.settings import ConsoleSettings


@contextmanager
def running_console(server: str, folder: Path, **changed: Any) -> Iterator[ConsoleServer]:
    """Starts a console on a free port that shows the service at this address, with a state folder of its own."""
    settings = ConsoleSettings(server=server, state_folder=folder / "console", port=0, **changed)
    with ConsoleServer.started(settings) as running:
        yield running
