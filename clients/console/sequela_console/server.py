"""A running console: its parts, its socket, and its thread."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from queue import Empty, SimpleQueue

import uvicorn
from sequela_client.client import Sequela
from sequela_client.errors import CallerError

from sequela_console.alert_index.index import AlertIndex
from sequela_console.app import build_app
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.context import Console
from sequela_console.http.bounded_protocol import BoundedProtocol
from sequela_console.sessions.embed_keys import EmbedKeys
from sequela_console.sessions.identity import identify
from sequela_console.sessions.service_door import TIMEOUT_SECONDS, ServiceDoor
from sequela_console.sessions.session_store import SessionStore
from sequela_console.sessions.token_visitors import TokenVisitors
from sequela_console.settings import ConsoleSettings
from sequela_console.state.database import StateDatabase
from sequela_console.state.failure import failure_of

MAX_CONNECTIONS = 500
# Requests in progress get this long to end.
_STOP_SECONDS = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConsoleServer:
    """A console that answers.

    Args:
        url: its address for people.
        console: its parts.
        server: the HTTP server.
        thread: the thread that it runs in.
    """

    url: str
    console: Console
    server: uvicorn.Server
    thread: threading.Thread

    @classmethod
    @contextmanager
    def started(cls, settings: ConsoleSettings) -> Iterator[ConsoleServer]:
        """Starts a console, and stops it at the end of the block.

        Raises:
            CallerError: the port is in use, a file cannot be read, or the service asks for a token that the console
                does not have.
        """
        with ExitStack() as stack:
            listener = stack.enter_context(_listener(settings))
            console = stack.enter_context(_parts(settings))
            server = uvicorn.Server(_loaded(_config(settings, console)))
            thread = threading.Thread(target=server.run, args=([listener],), name="console-http", daemon=True)
            thread.start()
            stack.callback(_stop, server, thread)
            log.info("listening", extra={"address": _url(settings, listener), "version": version("sequela")})
            stack.callback(log.info, "stopping")
            yield cls(_url(settings, listener), console, server, thread)

    def wait(self) -> None:
        """Waits until the console ends, Ctrl-C is pressed, or the process is told to end. For the main thread only."""
        # SIGTERM ends it as Ctrl-C does: the requests in progress are answered, and the file is closed. The handler
        # only leaves a note: an exception in the middle of a join makes Python take the thread for ended. A second
        # signal may interrupt the handler, which SimpleQueue allows and an Event does not: it would wait for itself.
        told: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: told.put(number))
        # With a timeout, since a wait without one would not hear signals on all systems.
        while self.thread.is_alive():
            with suppress(Empty):
                told.get(timeout=0.5)
                return


@contextmanager
def _parts(settings: ConsoleSettings) -> Iterator[Console]:
    """Opens everything that a console is made of, and closes it at the end."""
    with ExitStack() as stack:
        state = _state(settings)
        stack.callback(state.close)
        service = stack.enter_context(
            Sequela(settings.server, timeout=TIMEOUT_SECONDS, credentials=settings.credentials)
        )
        door = ServiceDoor(settings.server, settings.credentials, identify)
        stack.callback(door.close)
        _check_own_token(settings, door)
        sessions = SessionStore(identify)
        stack.callback(sessions.close)
        programs = TokenVisitors(door.client, identify)
        stack.callback(programs.close)
        index = AlertIndex(service, state, settings.thresholds)
        index.start()
        stack.callback(index.close)
        yield Console(
            settings=settings,
            service=service,
            door=door,
            sessions=sessions,
            programs=programs,
            embed_keys=EmbedKeys.from_folder(settings.state_folder),
            state=state,
            index=index,
            cohorts=CohortCatalogue(settings.cohorts),
        )


def _state(settings: ConsoleSettings) -> StateDatabase:
    """Opens the console's own file. Raises CallerError, and leaves a file that it cannot read as it is."""
    file = settings.state_folder / "console.db"
    try:
        return StateDatabase(file)
    except (OSError, ValueError, sqlite3.Error) as error:
        what = (failure_of(error) if isinstance(error, sqlite3.Error) else None) or str(error)
        raise CallerError(
            f"the console cannot use its own file {file}: {what}. Choose another folder with --state-dir, or repair "
            "this one",
            reason="STATE_UNAVAILABLE",
        ) from None


def _check_own_token(settings: ConsoleSettings, door: ServiceDoor) -> None:
    state = door.state()
    has_own = settings.credentials.has_token or settings.credentials.certificate is not None
    if state.state == "up" and state.login_needed and not has_own:
        raise CallerError(
            f"the service at {settings.server} requires authentication; give the console a token of its own with the "
            "role read (--token-file), which it needs for the list of alerts",
            reason="TOKEN_MISSING",
        )


def _listener(settings: ConsoleSettings) -> socket.socket:
    """Opens the port first, so that a wrong one is reported before anything else starts."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise CallerError(
            f"the console cannot listen on {settings.host}:{settings.port} ({_why(error)}); choose another "
            "port with --port, or 0 for any free one",
            reason="ADDRESS_UNAVAILABLE",
        ) from None
    # Connections inherit it; asyncio turns it on only for sockets that name their protocol. Without it, the body of an
    # answer waits until the browser has acknowledged its head, which takes 40 ms on a kept connection.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _config(settings: ConsoleSettings, console: Console) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(console),
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,  # addresses have search words and states of views in them
        lifespan="off",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def _why(error: OSError) -> str:
    """Returns the system's own message, since Python's repeats the address."""
    return os.strerror(error.errno) if error.errno else str(error)


def _loaded(config: uvicorn.Config) -> uvicorn.Config:
    """Reads the TLS files first, so that a wrong one is reported before the console can be called."""
    try:
        config.load()
    except OSError as error:
        raise CallerError(
            f"the files of --tls-cert and --tls-key are not a PEM certificate and its key ({error.strerror or error})",
            reason="TLS_FILES_INVALID",
        ) from None
    return config


def _url(settings: ConsoleSettings, listener: socket.socket) -> str:
    scheme = "https" if settings.uses_tls else "http"
    host = "localhost" if settings.host in ("127.0.0.1", "::1") else settings.host
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{listener.getsockname()[1]}"


def _stop(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(_STOP_SECONDS + 2)
