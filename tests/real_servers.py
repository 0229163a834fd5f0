"""Starts real model servers for tests: Triton, KServe's ModelServer and MLServer.

Each is a process in its own environment (`scripts/peer_env.py` makes it), and serves ONNX models through ONNX Runtime
with a script in `servers/`. Tests are skipped on platforms for which a server has no wheel.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import matrix
import numpy as np
import pytest
from free_ports import free_ports
from numpy.typing import NDArray

from scripts.peer_env import NoWheel, ensure

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "tests" / "servers"
DEMO = ROOT / "service" / "sequela" / "demo" / "models" / "account_takeover" / "1" / "model.onnx"
MODELS = {"account_takeover": DEMO} | {
    name: matrix.BY_NAME[name].path for name in ("multi_input", "transformer")
}
SERVERS = ("triton", "kserve", "mlserver")
ATTEMPTS = 3
PATIENCE = 180.0
"""Seconds in which each server starts, and ends, and in which a program in an environment of its own is done."""


class DidNotStart(RuntimeError):
    """A server stopped before it was ready. The message has the last lines of its log."""


class RealServer:
    """A server process, on ports that stay the same when it is started again. `http` is its URL, `grpc` its host:port.
    Every call takes at least `delay` seconds.
    """

    def __init__(self, name: str, models: Mapping[str, Path] = MODELS, delay: float = 0.0) -> None:
        self._command = [python(name), "-E", str(SCRIPTS / f"run_{name}.py"), "--delay", str(delay)]
        self.name = name
        self.models = models
        http, rpc = free_ports(2)
        self.http, self.grpc = f"http://127.0.0.1:{http}", f"127.0.0.1:{rpc}"
        self._folder = tempfile.TemporaryDirectory(prefix="sequela-")
        self._log = Path(self._folder.name) / "log"
        self._command += ["--http-port", str(http), "--grpc-port", str(rpc)]
        self._command += ["--models", *(f"{model}={path}" for model, path in models.items())]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server, and waits until all models are ready. Raises DidNotStart."""
        with self._log.open("wb") as log:
            # Its standard input is open as long as this process runs (see servers/onnx_models.py). It gets its own
            # session, so that it can be killed together with its children.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder.name,
                start_new_session=True,
            )
        self._wait_until_ready(time.monotonic() + PATIENCE)

    def stop(self) -> None:
        """Stops the server as its operator would."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
            self.kill()

    def kill(self) -> None:
        """Kills the server and its child processes."""
        if self._process is not None:
            with self._process, suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process = None

    def close(self) -> None:
        """Stops the server, and removes its files."""
        self.stop()
        self._folder.cleanup()

    def _wait_until_ready(self, end: float) -> None:
        assert self._process is not None
        waiting = [f"{self.http}/v2/models/{model}/ready" for model in self.models]
        while waiting:
            if self._process.poll() is not None or time.monotonic() > end:
                raise DidNotStart(f"{self.name}: {self._log.read_text(errors='replace')[-4000:]}")
            waiting = [url for url in waiting if not _ok(url)]
            time.sleep(0.05)
        with grpc.insecure_channel(self.grpc) as channel:
            grpc.channel_ready_future(channel).result(PATIENCE)


@contextmanager
def running(name: str, models: Mapping[str, Path] = MODELS, delay: float = 0.0) -> Iterator[RealServer]:
    """Starts a server, and closes it at the end."""
    server = _started(name, models, delay, ATTEMPTS)
    try:
        yield server
    finally:
        server.close()


def python(name: str) -> str:
    """Returns the Python of a server's environment. Skips the test if the environment cannot be made."""
    try:
        return str(ensure(name))
    except NoWheel as missing:
        pytest.skip(str(missing))


def ask_tritonclient(
    address: str, model: str, arrays: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Calls a server of the Open Inference Protocol at host:port with NVIDIA's gRPC client. Returns the metadata of a
    model as JSON, and its outputs by name. Raises CalledProcessError.
    """
    with tempfile.TemporaryDirectory(prefix="sequela-") as folder:
        given, answered = f"{folder}/inputs.npz", f"{folder}/outputs.npz"
        np.savez(given, **dict(arrays))  # type: ignore[arg-type]  # its stub takes them for allow_pickle
        command = [python("triton"), "-E", str(SCRIPTS / "ask_tritonclient.py")]
        command += [address, model, given, answered]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=PATIENCE)
        with np.load(answered) as outputs:
            return json.loads(done.stdout), dict(outputs)


def _started(name: str, models: Mapping[str, Path], delay: float, attempts: int) -> RealServer:
    """Starts a server. If another process takes one of its ports before the server does, it tries other ports."""
    server = RealServer(name, models, delay)
    try:
        server.start()
    except BaseException as wrong:
        server.close()
        if attempts > 1 and isinstance(wrong, DidNotStart):
            return _started(name, models, delay, attempts - 1)
        raise
    return server


def _ok(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=PATIENCE).is_success
    except httpx.TransportError:
        return False
