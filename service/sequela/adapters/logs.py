"""Structured logs on stderr: JSON lines, or coloured text where a person looks on.

Values of sequences and models are never logged; names, sizes, times and request ids are.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

from sequela.explain.telemetry import CircuitState, Record, StoreState

log = structlog.get_logger("sequela")


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Sets up structlog; what libraries log comes out the same way, from WARNING on."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks show no local variables: those hold sequences.
    if stream.isatty():
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        final: list[structlog.typing.Processor] = [plain]
    else:
        traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        final = [structlog.processors.ExceptionRenderer(traces), structlog.processors.JSONRenderer()]
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
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sequela").setLevel(level.upper())


class LogObserver:
    """Says when the shared store or an endpoint goes down and when it comes back; all else is counted, not told."""

    def notice(self, record: Record) -> None:
        """Takes one record."""
        if isinstance(record, StoreState):
            tell = log.info if record.up else log.warning
            tell("shared store", up=record.up, detail=record.detail)
        elif isinstance(record, CircuitState):
            tell = log.info if record.closed else log.warning
            tell("endpoint", target=record.target, up=record.closed, detail=record.detail)
