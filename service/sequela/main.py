"""`sequela serve`: settings -> wire -> serve -> drain."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from sequela.adapters import logs
from sequela.api.server import BoundAddresses
from sequela.bootstrap import Application, build, version
from sequela.errors import SequelaError
from sequela.settings import Settings, misspelt_variables, read_settings, settings_of

CANNOT_START = 1
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger("sequela.main")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until a signal comes. 0 after a drain, 1 where it cannot start, 2 for bad settings."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # gRPC writes to standard error by itself; what is less than an error would break up our lines.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    settings = read_settings(given[1:] if given[:1] == ["serve"] else given)
    logs.configure(settings.log_level)
    for unknown in misspelt_variables(os.environ):
        log.warning("unknown variable", name=unknown.name, nearest=unknown.nearest)
    try:
        asyncio.run(serve(settings))
    except (OSError, SequelaError) as error:
        log.error("cannot start", why=_why(error, settings))
        return CANNOT_START
    return 0


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Raises OSError or SequelaError where it cannot start."""
    leaving = _first_signal()
    application = build(settings)
    bound = await application.server.open()
    application.configured.start()
    log.info("listening", version=version(), grpc=bound.grpc, http=bound.http)
    announcing = asyncio.create_task(_announce(application, bound))
    await leaving.wait()
    announcing.cancel()
    log.info("draining", delay=settings.drain_delay, grace=settings.drain_grace)
    application.configured.stop()
    await application.server.drain(application.drain_times)
    application.close()
    log.info("stopped")


async def _announce(application: Application, bound: BoundAddresses) -> None:
    await application.server.ready()
    log.info("ready")
    if application.settings.ready_file:
        try:
            _write(application.settings.ready_file, json.dumps(dataclasses.asdict(bound)))
        except OSError as error:  # whoever waits for the file has to be told elsewhere
            log.error("no ready file", why=_why(error, application.settings))


def _why(error: OSError | SequelaError, settings: Settings) -> str:
    """With the setting that names the file, where it is about one."""
    if not isinstance(error, OSError) or not error.strerror or error.filename is None:
        return str(error)
    return f"{settings_of(settings, str(error.filename))}{error.filename}: {error.strerror}"


def _write(path: Path, text: str) -> None:
    """Whole or not at all, since somebody may be waiting for the file."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(f"{text}\n")
    draft.replace(path)


def _first_signal() -> asyncio.Event:
    """Set by the first signal; the second one ends the process at once."""
    loop = asyncio.get_running_loop()
    leaving = asyncio.Event()

    def leave() -> None:
        leaving.set()
        for each in SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    for each in SIGNALS:
        with contextlib.suppress(NotImplementedError):  # not on every platform
            loop.add_signal_handler(each, leave)
    return leaving
