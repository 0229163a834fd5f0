"""Log lines of a request name its trace and its explanation, and nothing else is on standard error."""

from __future__ import annotations

import io
import json
import logging
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import structlog
from api.rpc_calls import explain_request, sequence
from sequela.adapters import logs
from sequela.adapters.python_errors import log_python_errors
from sequela.explain.telemetry import EngineEnded
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, in_process
from waiting import PATIENCE

TRACE_ID = f"{0xABC:032x}"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def captured() -> AbstractContextManager[list[Any]]:
    """What is logged, with the context of the call."""
    return structlog.testing.capture_logs([structlog.contextvars.merge_contextvars])


def calls(lines: list[Any], answer: pb.ExplainResponse) -> list[Any]:
    """The lines of calls that gave this answer. Other servers of this process may log the end of a call meanwhile."""
    name = answer.explanation.name
    return [line for line in lines if line["event"] == "call" and line.get("explanation") == name]


@pytest.mark.parametrize("caller_ids", [False, True])
def test_the_line_of_an_explanation(caller_ids: bool) -> None:
    """The caller's trace and the explanation's name; the caller's id only where the operator wants it."""
    with captured() as lines, Serving(in_process(log_caller_ids=caller_ids)) as server:
        answer = server.explanations.Explain(
            explain_request(caller_id="alert-7"), metadata=(("traceparent", PARENT),), timeout=PATIENCE
        )
    [line] = calls(lines, answer)
    assert line["trace_id"] == TRACE_ID
    assert line.get("caller_id") == ("alert-7" if caller_ids else None)
    assert "alert-7" in str(lines) or not caller_ids


def test_lines_of_a_stream() -> None:
    """The items each have a line, and the stream counts them. Failed items are logged with their reason."""
    good = [explain_request(sequence=sequence(seed)) for seed in (1, 2)]
    requests = [*good, explain_request(sequence=pb.Sequence())]
    with captured() as lines, Serving(in_process()) as server:
        answers = list(
            server.explanations.ExplainStream(
                iter([pb.ExplainStreamRequest(request=each) for each in requests]), timeout=PATIENCE
            )
        )
    names = {each.explanation.name for each in answers if each.HasField("explanation")}
    assert {
        line["explanation"] for line in lines if line["event"] == "item" and "explanation" in line
    } == names
    [failed] = [line for line in lines if line["event"] == "item failed"]
    assert (failed["index"], failed["reason"]) == (2, "SEQUENCE_EMPTY")


@pytest.mark.parametrize(("trust", "field"), [("trusted", "stack"), ("untrusted", "output")])
def test_the_crash_of_an_engine(trust: str, field: str) -> None:
    """Its line has the stack. What a caller's model wrote may quote values, and is only there for who debugs."""
    with structlog.testing.capture_logs() as lines:
        logs.LogObserver().notice(EngineEnded(trust, "crashed", "was ended by SIGSEGV", False, "d", "Fatal"))
    [line] = [each for each in lines if field in each]
    assert (line[field], line["log_level"]) == ("Fatal", "warning" if field == "stack" else "debug")
    assert lines[0]["event"] == "engine lost"


def test_a_request_without_a_trace() -> None:
    """It has no trace id, also if the header is wrong."""
    with captured() as lines, Serving(in_process()) as server:
        answer = server.explanations.Explain(
            explain_request(), metadata=(("traceparent", "00-wrong"),), timeout=PATIENCE
        )
    [line] = calls(lines, answer)
    assert "trace_id" not in line


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A log, with the hooks of the process, which are put back."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    before = (list(root.handlers), root.level, logging.raiseExceptions)
    written = io.StringIO()
    logs.configure("info", written)
    log_python_errors()
    yield written
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers, root.level, logging.raiseExceptions = before
    logging.getLogger("sequela").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_what_python_writes_is_json(stream: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    """Warnings, errors of threads and of destructors become lines, without the texts of errors."""

    class Fragile:
        def __del__(self) -> None:
            raise RuntimeError("canary")

    def fail() -> None:
        raise RuntimeError("canary")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()
    Fragile()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"].splitlines()[0].rpartition(" ")[2] for line in lines][1:] == ["error", "error"]
    assert "DeprecationWarning: old" in lines[0]["event"]
    assert lines[1]["thread"] == "worker"
    assert "RuntimeError" in stream.getvalue()
    assert "canary" not in stream.getvalue().replace('raise RuntimeError("canary")', "")
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_nothing_else_is_on_standard_error(tmp_path: Any) -> None:
    """Whatever callers send, every line is JSON: to both ports, with engines of both classes and a broken model."""
    ready = tmp_path / "ready.json"
    given = ["--store", "memory:", "--engines", "1", "--port", "0", "--http-port", "0", "--drain-delay", "0"]
    given += ["--model-repository", "service/sequela/demo/models", "--ready-file", str(ready)]
    command = [sys.executable, "-P", "-m", "sequela", *given]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            from waiting import eventually  # noqa: PLC0415

            eventually(ready.exists, PATIENCE)
            bound = json.loads(ready.read_text())
            for address in (bound["grpc"], bound["http"]):
                for content in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"garbage\r\n\r\n"):
                    _send(address, content)
            _send(
                bound["http"],
                b"GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            )
        finally:
            server.terminate()
            out, err = server.communicate(timeout=PATIENCE)
    assert out == ""
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert {"listening", "ready", "stopped"} <= set(events)
    assert not [each for each in events if "HTTP request received" in each or "WebSocket" in each]


def _send(address: str, content: bytes) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as client:
        client.sendall(content)
        client.settimeout(0.5)
        try:
            client.recv(1024)
        except (TimeoutError, ConnectionError):
            return
