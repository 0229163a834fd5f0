"""The log of the console on standard error: JSON lines, or plain text on a terminal. It has no values and no tokens."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

FIELDS = ("request_id", "method", "route", "status", "reason", "address", "version", "detail")
"""What lines may have besides their event."""
_MOST_CAUSES = 5


class JsonFormatter(logging.Formatter):
    """Writes a line as a JSON object, as the service does."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        return json.dumps(_line(record))


class TextFormatter(logging.Formatter):
    """Writes a line for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, and below it the traceback."""
        line = {**_line(record)}
        trace = line.pop("exception", "")
        fields = " ".join(f"{name}={line[name]}" for name in FIELDS if name in line)
        text = f"{line['timestamp']} {line['level']} {line['event']} {fields}".rstrip()
        return f"{text}\n{trace}" if trace else text


def configure(stream: TextIO = sys.stderr) -> None:
    """Sets up logging. What libraries log is written too, if it is a warning or worse."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if stream.isatty() else JsonFormatter())
    handler.addFilter(_is_not_cancellation)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sequela_console").setLevel(logging.INFO)


def _is_not_cancellation(record: logging.LogRecord) -> bool:
    """Returns False for the traceback of a request that the end of the console cancelled: another line counts those."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _line(record: logging.LogRecord) -> Mapping[str, object]:
    line = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage(),
        **{name: getattr(record, name) for name in FIELDS if getattr(record, name, "")},
    }
    if record.exc_info and record.exc_info[1]:
        line["exception"] = _trace(record.exc_info[1])
    return line


def _trace(error: BaseException) -> str:
    """Returns classes and lines of code. The text of an error is left out, since it may quote values."""
    found: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(found) < _MOST_CAUSES:
        frames = traceback.format_list(traceback.extract_tb(cause.__traceback__))
        found.append("".join([*frames, type(cause).__name__]))
        cause = cause.__cause__ or cause.__context__
    return "\n\nbecause of\n\n".join(found)
