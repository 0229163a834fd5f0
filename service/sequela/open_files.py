"""Makes sure that the process may open as many files as its connections need, or else accepts fewer connections.

A process without free file descriptors can accept no connection and read no file, and an event loop that cannot accept
tries again and again.
"""

from __future__ import annotations

import asyncio
import errno
import time
from typing import Any

import structlog

from sequela.api.http_protocol import PROBE_CONNECTIONS
from sequela.api.http_server import ACCEPTED_AT_ONCE
from sequela.settings import Settings

RESERVED_FILES = 256
"""Files besides connections of callers: models, the store, endpoints, engines."""
MIN_CONNECTIONS = 16
LOG_SECONDS = 10.0
"""The shortest time between two log lines about connections that cannot be accepted, in seconds."""
NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = structlog.get_logger("sequela.main")


def fit_connections(settings: Settings) -> Settings:
    """Raises the limit of open files as far as needed and allowed.

    Returns:
        The settings; with fewer connections if the limit does not allow all of them.
    """
    besides = RESERVED_FILES + PROBE_CONNECTIONS + ACCEPTED_AT_ONCE
    wanted = settings.max_http_connections + settings.max_grpc_connections
    allowed = raise_limit(wanted + besides)
    if allowed >= wanted + besides:
        return settings
    share = max(allowed - besides, 0) / wanted
    fewer = {
        name: max(int(getattr(settings, name) * share), MIN_CONNECTIONS)
        for name in ("max_http_connections", "max_grpc_connections")
    }
    log.warning("few open files", allowed=allowed, needed=wanted + besides, **fewer)
    return settings.model_copy(update=fewer)


def raise_limit(needed: int) -> int:
    """Raises the soft limit of open files to `needed` if the hard limit allows that. Returns the limit that holds."""
    try:
        import resource  # noqa: PLC0415  # Windows has no such module, and no such limit
    except ImportError:
        return needed
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


class LoopErrors:
    """Handles errors of the event loop: one line in ten seconds for connections that cannot be accepted."""

    def __init__(self) -> None:
        self._next_line = 0.0
        self._unlogged = 0

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handles an error, as `loop.set_exception_handler` demands."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in NO_RESOURCES):
            loop.default_exception_handler(context)
            return
        self._unlogged += 1
        now = time.monotonic()
        if now >= self._next_line:
            log.error("connections not accepted", detail=error.strerror, attempts=self._unlogged)
            self._next_line, self._unlogged = now + LOG_SECONDS, 0
