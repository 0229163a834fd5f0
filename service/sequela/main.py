"""`sequela serve`: reads the settings, builds the server, serves, and drains on a signal."""

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
from sequela.adapters.python_errors import log_python_errors
from sequela.adapters.store.location import location_text
from sequela.api.server import BoundAddresses, Server
from sequela.bootstrap import Application, build, version
from sequela.command_line import misspelt_variables, options_for_path, read_settings
from sequela.errors import SequelaError
from sequela.open_files import LoopErrors, fit_connections
from sequela.settings import Settings

CANNOT_START = 1  # exit status
GRPC_ENDED = 1
SIGNALS = (signal.SIGTERM, signal.SIGINT)
SWITCH_SECONDS = 0.001
"""How long a thread of this process runs Python while others wait to. With Python's 5 ms, a thread that answers an
engine, or hands an answer on, would wait that long at every step while many requests arrive.
"""

log = structlog.get_logger("sequela.main")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until a signal arrives.

    Args:
        arguments: The command line, with or without the word `serve`. By default that of the process.

    Returns:
        The exit status: 0 after a drain, 1 if the server cannot start or gRPC has failed. Wrong settings exit with 2.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    settings = read_settings(given[1:] if given[:1] == ["serve"] else given)
    logs.configure(settings.log_level)
    log_python_errors()
    sys.setswitchinterval(SWITCH_SECONDS)
    for unknown in misspelt_variables(os.environ):
        log.warning("unknown variable", name=unknown.name, nearest=unknown.nearest)
    try:
        return asyncio.run(serve(settings))
    except (OSError, SequelaError) as error:
        log.error("cannot start", detail=_detail(error, settings))
        return CANNOT_START


async def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT, then drains.

    Returns:
        The exit status.

    Raises:
        OSError, SequelaError: The server cannot start.
    """
    stopping = _first_signal()
    asyncio.get_running_loop().set_exception_handler(LoopErrors().handle)
    with contextlib.closing(build(fit_connections(settings))) as application:
        status = await _serve(application, stopping)
    log.info("stopped")
    return status


async def _serve(application: Application, stopping: asyncio.Event) -> int:
    settings = application.settings
    bound = await application.server.open()
    # Only now, so that a port in use ends the start before any model is loaded.
    application.configured.start()
    store = location_text(settings.store_location)
    log.info("listening", version=version(), grpc=bound.grpc, http=bound.http, store=store)
    announcement = asyncio.create_task(_announce(application, bound))
    status = await _until_end(stopping, application.server)
    announcement.cancel()
    log.info("draining", delay_seconds=settings.drain_delay_seconds, grace_seconds=settings.drain_grace)
    application.configured.stop()
    await application.server.drain(application.drain_times)
    return status


async def _until_end(stopping: asyncio.Event, server: Server) -> int:
    """Waits for a signal, or for gRPC to end by itself. A process that only HTTP can reach would look healthy."""
    signalled, ended = asyncio.create_task(stopping.wait()), asyncio.create_task(server.grpc_ended())
    await asyncio.wait({signalled, ended}, return_when=asyncio.FIRST_COMPLETED)
    if signalled.done():
        ended.cancel()
        return 0
    signalled.cancel()
    log.error("grpc ended", detail=repr(ended.result()))
    return GRPC_ENDED


async def _announce(application: Application, bound: BoundAddresses) -> None:
    await application.server.ready()
    log.info("ready")
    if application.settings.ready_file:
        try:
            _write(application.settings.ready_file, json.dumps(dataclasses.asdict(bound)))
        except OSError as error:  # the server is ready nevertheless
            log.error("ready file not written", detail=_detail(error, application.settings))


def _detail(error: OSError | SequelaError, settings: Settings) -> str:
    """Returns the message, with the option that names the file if the error is about one."""
    if not isinstance(error, OSError) or not error.strerror or error.filename is None:
        return str(error)
    option = options_for_path(settings, str(error.filename))
    return f"{option} {error.filename}: {error.strerror}".lstrip()


def _write(path: Path, text: str) -> None:
    """Writes the file in one step, because another process may read it as soon as it exists."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(f"{text}\n")
    draft.replace(path)


def _first_signal() -> asyncio.Event:
    """Returns an event that the first signal sets. A second signal ends the process at once."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        for each in SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)

    for each in SIGNALS:
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in event loops
            loop.add_signal_handler(each, stop)
    return stopping
