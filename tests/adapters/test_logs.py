"""What the log shows, and what it must not."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from sequela.adapters import logs
from sequela.explain.telemetry import BatchEvaluated, StoreState


class Screen(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Puts back what `configure` changes for the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("sequela").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def fail(values: list[float]) -> None:
    assert values
    raise RuntimeError("broken")


@pytest.mark.parametrize(
    ("stream", "level", "text"),
    [(io.StringIO(), "info", False), (io.StringIO(), "debug", True), (Screen(), "info", True)],
    ids=["pipe", "pipe at debug", "screen"],
)
def test_tracebacks_show_no_values(stream: io.StringIO, level: str, text: bool) -> None:
    """The trace of an error names where it happened; the values at hand there stay out of the log. The error's text,
    which may quote values, is only there for who debugs.
    """
    logs.configure(level, stream)
    try:
        fail([1234.5678])
    except RuntimeError as error:
        structlog.get_logger("sequela.test").error("unexpected error", exc_info=error)
    assert ("broken" in stream.getvalue()) is text
    assert "RuntimeError" in stream.getvalue()
    assert "fail" in stream.getvalue()
    assert "values = " not in stream.getvalue()
    assert "[1234.5678]" not in stream.getvalue().replace("fail([1234.5678])", "")


def test_lines_are_json_with_the_calls_context() -> None:
    """One object a line: event, level, time, and what is bound to the call."""
    stream = io.StringIO()
    logs.configure("info", stream)
    with structlog.contextvars.bound_contextvars(request_id="r"):
        structlog.get_logger("sequela.test").info("call", code="OK")
        structlog.get_logger("sequela.test").debug("unseen")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["request_id"], line["code"]) == ("call", "info", "r", "OK")
    assert line["timestamp"].endswith("Z")


def test_libraries_are_heard_from_warnings_on() -> None:
    """Their lines have the same form."""
    stream = io.StringIO()
    logs.configure("debug", stream)
    logging.getLogger("library").info("unseen")
    logging.getLogger("library").warning("seen")
    assert json.loads(stream.getvalue())["event"] == "seen"


def test_the_store_is_told_of_when_it_changes() -> None:
    """Down is a warning, back again is information, all else is silent."""
    observer = logs.LogObserver()
    with structlog.testing.capture_logs() as logged:
        observer.notice(BatchEvaluated(1, 0.1))
        observer.notice(StoreState(False, "refused"))
        observer.notice(StoreState(True))
    assert logged == [
        {"event": "store down", "detail": "refused", "log_level": "warning"},
        {"event": "store up", "log_level": "info"},
    ]
