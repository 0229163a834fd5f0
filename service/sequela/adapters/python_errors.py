"""Turns what Python itself writes to standard error into lines of the log: warnings, and errors that are not caught."""

from __future__ import annotations

import logging
import sys
import threading

import structlog

log = structlog.get_logger("sequela.python")


def log_python_errors() -> None:
    """Sets the hooks of this process. Call it once, when the log is configured."""
    logging.captureWarnings(True)
    # If the log cannot be written, for example because its reader has gone, the error cannot be reported anywhere.
    logging.raiseExceptions = False
    sys.excepthook = lambda _, error, trace: _log(error, trace)
    threading.excepthook = lambda given: _log(given.exc_value, given.exc_traceback, given.thread)
    sys.unraisablehook = lambda given: _log(given.exc_value, given.exc_traceback)


def _log(error: BaseException | None, trace: object, thread: threading.Thread | None = None) -> None:
    if error is None or isinstance(error, KeyboardInterrupt):
        return
    where = {"thread": thread.name} if thread else {}
    log.error("unexpected error", exc_info=(type(error), error, trace), **where)
