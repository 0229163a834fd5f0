"""The server as a process: it starts, tells where it listens, drains on a signal, and says why it cannot start."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import structlog
import trustme
from api.rpc_calls import GRU, explain_request, sequence
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sequela import main
from sequela.adapters import logs
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1.sequela_pb2_grpc import ExplanationServiceStub
from serving import Failure, Serving, embedded
from waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("service", "clients/python", "proto/python")


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join(str(ROOT / package) for package in PACKAGES)
    given = [sys.executable, "-m", "sequela", "serve", "--port", "0", "--http-port", "0", *arguments]
    running = subprocess.Popen(
        given, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def address(ready: Path) -> str:
    eventually(ready.exists, PATIENCE)
    bound = json.loads(ready.read_text())
    assert set(bound) == {"grpc", "http"}
    return str(bound["grpc"])


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_serves_until_a_signal_and_leaves_with_0(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ready file names the real ports; a signal drains; the log is JSON, a line each. gRPC would write lines of
    its own: one for each client that does not speak TLS.
    """
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate, key, ready = tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "ready.json"
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    key.write_bytes(issued.private_key_pem.bytes())
    files = ["--tls-certificate", str(certificate), "--tls-key", str(key), "--ready-file", str(ready)]
    with process("--store", "memory:", "--drain-delay", "0", *files) as server:
        _, _, port = address(ready).rpartition(":")
        trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        with grpc.secure_channel(f"localhost:{port}", trusted) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with socket.create_connection(("127.0.0.1", int(port)), PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while client.recv(1024):
                pass
        server.send_signal(number)
        _, log = server.communicate(timeout=PATIENCE)
        assert server.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["event"] for line in lines] == ["listening", "ready", "draining", "stopped"]
    assert lines[0]["store"] == "memory"


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Who does not want to wait for the drain says so again."""
    ready = tmp_path / "ready.json"
    with process("--ready-file", str(ready), "--drain-delay", "1000") as server:
        address(ready)
        server.send_signal(signal.SIGTERM)
        assert server.stderr
        while "draining" not in server.stderr.readline():
            pass
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == -signal.SIGTERM


def put_gru(tmp_path: Path) -> Path:
    """Makes a model repository with one model, and returns its folder."""
    folder = tmp_path / "models" / "m" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(GRU)
    return tmp_path / "models"


def test_one_event_says_that_a_model_is_loaded(tmp_path: Path) -> None:
    """Of a model that is tried out in one process and runs in two others."""
    with (
        structlog.testing.capture_logs() as logged,
        Serving(embedded(engines=2, model_repository=put_gru(tmp_path))),
    ):
        pass
    (loaded,) = (line for line in logged if line["event"] == "model loaded")
    assert (loaded["model"], loaded["engines"], loaded["log_level"]) == ("models/m/versions/1", 2, "info")


@pytest.mark.slow
def test_one_line_says_that_a_model_is_loaded(tmp_path: Path) -> None:
    """Nor do the processes of the model write another one."""
    ready = tmp_path / "ready.json"
    given = ["--store", "memory:", "--model-repository", str(put_gru(tmp_path)), "--engines", "2"]
    with process(*given, "--ready-file", str(ready)) as server:
        address(ready)
        server.send_signal(signal.SIGTERM)
        _, log = server.communicate(timeout=PATIENCE)
    lines = [json.loads(line) for line in log.splitlines()]
    (loaded,) = (line for line in lines if line["event"] == "model loaded")
    assert (loaded["model"], loaded["engines"], loaded["level"]) == ("models/m/versions/1", 2, "info")


@pytest.fixture
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets a test run the main program in this process, whose log, limits and switch interval stay as they are."""
    monkeypatch.setattr(logs, "configure", lambda _: None)
    monkeypatch.setattr(main, "log_python_errors", lambda: None)
    monkeypatch.setattr(main, "fit_connections", lambda settings: settings)
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_as_it_was")
def test_it_says_why_it_cannot_start(tmp_path: Path) -> None:
    """A model repository that is not there: one line with the flag and the folder, and status 1."""
    given = ["--port", "0", "--http-port", "0", "--model-repository", str(tmp_path / "nowhere")]
    with structlog.testing.capture_logs() as logged:
        assert main.main(given) == 1
    assert logged[-1]["event"] == "cannot start"
    assert logged[-1]["detail"] == f"--model-repository {tmp_path / 'nowhere'}: No such file or directory"


@pytest.mark.usefixtures("_as_it_was")
def test_what_it_has_begun_ends_when_it_cannot_start(tmp_path: Path) -> None:
    """A wrong file of tokens is found once the threads of its engines have started. None of them is left."""
    tokens = tmp_path / "tokens"
    tokens.write_text("anna\n")
    before = set(threading.enumerate())
    given = ["--store", "memory:", "--port", "0", "--http-port", "0", "--tokens", str(tokens)]
    assert main.main([*given, "--model-repository", str(put_gru(tmp_path)), "--engines", "2"]) == 1
    assert_only_these_threads(before)


@pytest.mark.usefixtures("_as_it_was")
def test_it_closes_everything_when_it_cannot_listen(tmp_path: Path) -> None:
    """A port that is in use is found after all else has been built."""
    before, file = set(threading.enumerate()), tmp_path / "store.sqlite"
    given = ["--store", f"sqlite:{file}", "--http-port", "0"]
    with socket.create_server(("127.0.0.1", 0)) as taken, structlog.testing.capture_logs() as logged:
        assert main.main([*given, "--port", str(taken.getsockname()[1])]) == 1
    assert [line["event"] for line in logged][-1] == "cannot start"
    assert_only_these_threads(before)
    # The file is free for another server.
    with Serving(embedded(store=f"sqlite:{file}")):
        pass


def assert_only_these_threads(before: set[threading.Thread]) -> None:
    """And that of the process that engines are forked from, which ends a moment after the last of them, and gRPC's own,
    which never ends.
    """

    def others() -> list[str]:
        names = {each.name for each in set(threading.enumerate()) - before}
        return [name for name in names if name != "forkserver-end" and "_poll_wrapper" not in name]

    eventually(lambda: not others())


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--port", "--http-port"])
def test_it_says_that_a_port_is_in_use(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of JSON names the port, its option and the way out; gRPC writes no line of its own."""
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with process("--store", "memory:", option, str(port)) as server:
            _, log = server.communicate(timeout=PATIENCE)
            assert server.returncode == 1
    (line,) = log.splitlines()
    told = f"port {port} ({option}) is in use by another program; stop it or choose another"
    assert json.loads(line)["detail"] == f"cannot listen on 127.0.0.1:{port}: {told}"


@pytest.mark.slow
def test_what_is_odd_about_it_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable and a ready file that cannot be written stop nobody, and stand in the log. What Kubernetes
    says of a service called sequela is neither a port nor odd.
    """
    monkeypatch.setenv("SEQUELA_PROT", "7")
    monkeypatch.setenv("SEQUELA_REDIS_PORT", "tcp://10.0.0.1:50051")
    ready = tmp_path / "nowhere" / "ready.json"
    with process("--ready-file", str(ready), "--drain-delay", "0") as server:
        assert server.stderr
        lines = []
        while not lines or lines[-1]["event"] != "ready file not written":
            lines.append(json.loads(server.stderr.readline()))
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=PATIENCE)
        assert server.returncode == 0
    first = lines[0]
    assert [each["event"] for each in lines] == [
        "unknown variable",
        "listening",
        "ready",
        "ready file not written",
    ]
    assert (first["level"], first["name"], first["nearest"]) == ("warning", "SEQUELA_PROT", "SEQUELA_PORT")
    assert lines[-1]["detail"].endswith("No such file or directory")


@pytest.mark.slow
def test_an_explanation_outlasts_the_grace(tmp_path: Path) -> None:
    """It is told to conclude, answers cut short (or hears why not), and the process leaves with 0."""
    ready = tmp_path / "ready.json"
    options = pb.ExplainOptions(pruning_tolerance=0, target_standard_error=0, max_coalitions=1 << 20)
    asked = explain_request(sequence=sequence(events=300), options=options)
    with process("--ready-file", str(ready), "--drain-delay", "0", "--drain-grace", "2") as server:
        with grpc.insecure_channel(address(ready)) as channel:
            call = ExplanationServiceStub(channel).Explain.future(asked, timeout=10 * PATIENCE)
            page = f"http://{json.loads(ready.read_text())['http']}/metrics"
            running = 'sequela_inflight{executor="uploads"} 1.0'
            eventually(lambda: running in httpx.get(page, timeout=PATIENCE).text, PATIENCE)
            server.send_signal(signal.SIGTERM)
            try:
                assert call.result(PATIENCE).explanation.cut_short
            except grpc.RpcError as error:
                failed = Failure(error)
                assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
                assert failed.retry
        server.communicate(timeout=PATIENCE)
        assert server.returncode == 0


@pytest.mark.usefixtures("_as_it_was")
def test_threads_take_turns_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """While many requests arrive, threads that answer engines do not wait 5 ms at each step, Python's default."""
    found = list[float]()

    def run(serving: Coroutine[Any, Any, int]) -> int:
        serving.close()
        found.append(sys.getswitchinterval())
        return 0

    monkeypatch.setattr(asyncio, "run", run)
    sys.setswitchinterval(0.005)
    main.main([])
    assert found[0] <= 0.001


def test_it_ends_with_1_when_grpc_ends_by_itself() -> None:
    """A process that only HTTP can reach would look healthy."""

    class Ended:
        async def grpc_ended(self) -> BaseException:
            return RuntimeError("the loop of gRPC failed")

    with structlog.testing.capture_logs() as logged:
        status = asyncio.run(main._until_end(asyncio.Event(), Ended()))  # type: ignore[arg-type]
    assert status == 1
    assert [(each["event"], each["log_level"]) for each in logged] == [("grpc ended", "error")]
    assert "the loop of gRPC failed" in logged[0]["detail"]
