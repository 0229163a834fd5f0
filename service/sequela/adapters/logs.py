"""Structured logs on standard error: JSON lines, or coloured text on a terminal.

The values of sequences and models are never logged; names, sizes, times and request ids are.

An event is a few plain words in lower case (`store down`). What differs from one to the next is a field, with the unit
in its name (`grace_seconds`); `detail` says why something failed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO

import structlog

from sequela.explain.telemetry import (
    CircuitState,
    CredentialsReloaded,
    EngineEnded,
    EngineStarted,
    ExplanationFinished,
    Record,
    StoreState,
)
from sequela.log_facts import note_explanation

log = structlog.get_logger("sequela")


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Sets up logging. What libraries log is written in the same form, if it is a warning or worse.

    Args:
        level: The lowest level of Sequela's own messages: debug, info, warning or error.
        stream: Where the lines are written.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks leave out local variables, because they contain the values of sequences.
    if stream.isatty():
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        final: list[structlog.typing.Processor] = [plain]
    else:
        traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        without_texts = traces if level == "debug" else partial(_without_texts, traces)
        final = [structlog.processors.ExceptionRenderer(without_texts), structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    # At lower levels, libraries log a lot, possibly with values of sequences.
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sequela").setLevel(level.upper())
    # It warns of each request that is not HTTP, and of each upgrade to another protocol: callers could fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def _without_texts(transform: Callable[[Any], list[dict[str, Any]]], error: Any) -> list[dict[str, Any]]:
    """Returns a traceback without the texts of the errors, which may quote values. Types and lines remain."""
    found = transform(error)
    for each in found:
        each["exc_value"] = ""
    return found


class LogObserver:
    """Logs when the shared store or an endpoint goes down, and when it comes back, and when credentials change.

    Other records are ignored. A store that is up from the start is not logged.

    Args:
        caller_ids: Whether the line of a request may have the id that its caller gave the explanation.
    """

    takes = (ExplanationFinished, StoreState, CircuitState, EngineStarted, EngineEnded, CredentialsReloaded)

    def __init__(self, caller_ids: bool = False) -> None:
        self._store_down = False
        self._caller_ids = caller_ids

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        # Nearly all records are of other types.
        if not isinstance(record, self.takes):
            return
        match record:
            case ExplanationFinished():
                note_explanation(record.explanation, record.caller_id if self._caller_ids else "")
            case StoreState(True):
                if self._store_down:
                    log.info("store up")
                self._store_down = False
            case StoreState(False, detail):
                self._store_down = True
                log.warning("store down", detail=detail)
            case CircuitState(target, True):
                log.info("endpoint up", target=target)
            case EngineStarted(trust):
                log.debug("engine started", trust=trust)
            case EngineEnded():
                _log_end(record)
            case CircuitState(target, False, detail):
                log.warning("endpoint down", target=target, detail=detail)
            case CredentialsReloaded(source, True, ""):
                log.info("credentials reloaded", source=source)
            case CredentialsReloaded(source, True, detail):
                log.warning("credentials emptied", source=source, detail=detail)
            case CredentialsReloaded(source, False, detail):
                # What was valid before remains valid, but the operator expects the change to have an effect.
                log.error("credentials not reloaded", source=source, detail=detail)


def _log_end(ended: EngineEnded) -> None:
    facts = {"trust": ended.trust, "reason": ended.reason, "detail": ended.detail, "digest": ended.digest}
    if ended.expected:
        log.debug("engine ended", **facts)
    elif ended.trust == "untrusted":
        log.warning("engine lost", **facts)
        # What an engine wrote may quote values of a request, which the log does not hold.
        log.debug("engine output", trust=ended.trust, output=ended.output)
    else:
        # Python's own lines about a crash: functions and line numbers, and no values.
        log.warning("engine lost", **facts, **({"stack": ended.output} if ended.output else {}))
