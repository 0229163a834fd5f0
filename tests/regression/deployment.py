"""The processes that the questions are asked of: a server with every fixture model, and servers of models for its
endpoints.

Only public interfaces are used, so that the same questions can be asked of the packages of another commit.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import matrix
import numpy as np
from inference_rest import RestServer
from inference_server import Feeds, InferenceServer, ServedModel, Tensor
from numpy.typing import NDArray
from sequela_client import Sequela
from sequela_proto.inference import open_inference_pb2_grpc as oip_rpc
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
PATIENCE = 240.0
"""Seconds to wait for a server to start, and for an answer. No answer is cut short by it."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SERVED = ("gru", "transformer", "multi_input", "classes", "fixed_left", "regression", "lengths")
"""Models that the endpoint servers have."""
SERVE = ("serve", "--port", "0", "--http-port", "0", "--workers", "1", "--engines", "0")


class OneRowAtATime(ServedModel):
    """Runs each row alone, because the size of a call depends on timing, and the last bits of a score depend on the
    size.
    """

    def _run(self, feeds: Feeds, output: str) -> tuple[Tensor, NDArray[Any]]:
        rows = len(next(iter(feeds.values())))
        parts = [super(OneRowAtATime, self)._run(_row(feeds, row), output) for row in range(rows)]
        return parts[0][0], np.concatenate([values for _, values in parts])


def _row(feeds: Feeds, row: int) -> dict[str, NDArray[Any]]:
    return {name: values[row : row + 1] for name, values in feeds.items()}


@dataclass(frozen=True)
class Address:
    """Where a server listens: host:port for gRPC and for HTTP."""

    grpc: str
    http: str


@dataclass(frozen=True)
class Deployment:
    """The server under test, and what is needed to ask it.

    Attributes:
        uris: For `grpc`, `v2`, `v1` and `sequela` the URI of a model behind an endpoint, with {} for its name.
        folder: A temporary folder for the files of questions.
        environment: The environment variables of processes that import our packages.
    """

    address: Address
    client: Sequela
    channel: grpc.Channel
    http: httpx.Client
    uris: dict[str, str]
    folder: Path
    environment: dict[str, str]

    @property
    def explanations(self) -> Any:
        return rpc.ExplanationServiceStub(self.channel)

    @property
    def models(self) -> Any:
        return rpc.ModelServiceStub(self.channel)

    @property
    def backgrounds(self) -> Any:
        return rpc.BackgroundServiceStub(self.channel)

    @property
    def inference(self) -> Any:
        return oip_rpc.GRPCInferenceServiceStub(self.channel)


def demo() -> Path:
    """Returns the folder <name>/<version> of the demo's model."""
    return next((ROOT / "service").rglob("account_takeover/1/model.onnx")).parent


def alert(name: str) -> dict[str, Any]:
    """Returns an alert of the demo."""
    found: dict[str, Any] = json.loads(next((ROOT / "service").rglob(f"alerts/{name}.json")).read_text())
    return found


@contextmanager
def deployed(engines: int = 0) -> Iterator[Deployment]:
    """Starts all servers, and stops them at the end. `engines` is the setting of the server under test."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sequela-")))
        served = {name: OneRowAtATime(matrix.BY_NAME[name].path.read_bytes()) for name in SERVED}
        plain = stack.enter_context(InferenceServer(served))
        rest = stack.enter_context(RestServer(served))
        far = stack.enter_context(_server(folder, "far", *_of_repository(folder / "far_models", SERVED[:4])))
        uris = {
            "grpc": plain.uri("{}"),
            "v2": rest.uri("{}"),
            "v1": rest.uri("{}", "v1"),
            "sequela": f"grpc://{far.grpc}/{{}}",
        }
        repository = folder / "models"
        arguments = _of_repository(repository, tuple(matrix.BY_NAME))
        _add_the_rest(repository, uris)
        address = stack.enter_context(
            _server(folder, "near", *arguments, *_allowed(), "--engines", str(engines))
        )
        channel = stack.enter_context(grpc.insecure_channel(address.grpc))
        client = stack.enter_context(Sequela(address.grpc, timeout=PATIENCE))
        http = stack.enter_context(_http_client(address))
        _until_reachable(channel)
        yield Deployment(address, client, channel, http, uris, folder, _environment())


def _http_client(address: Address) -> httpx.Client:
    """Returns a client whose requests may take as long as those by gRPC."""
    allowed = {"X-Request-Timeout-Ms": str(int(1000 * PATIENCE))}
    return httpx.Client(base_url=f"http://{address.http}", timeout=PATIENCE, headers=allowed)


def _until_reachable(channel: grpc.Channel) -> None:
    """Waits for the models behind endpoints: they may still be loading when the server is ready."""
    models = rpc.ModelServiceStub(channel)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        listed = models.ListModels(pb.ListModelsRequest(page_size=1000)).models
        if not any(each.state == pb.MODEL_STATE_LOADING for each in listed):
            return
        time.sleep(0.1)
    raise RuntimeError("the models of endpoints did not load")


def _of_repository(folder: Path, names: tuple[str, ...]) -> list[str]:
    """Copies fixture models; returns the flag that names the folder."""
    for name in names:
        shutil.copytree(matrix.ROOT / name, folder / name)
    return ["--model-repository", str(folder)]


def _add_the_rest(folder: Path, uris: dict[str, str]) -> None:
    shutil.copytree(demo(), folder / "account_takeover" / "1")
    shutil.copytree(FIXTURES / "arem", folder / "arem" / "1")
    (folder / "arem" / "1" / "arem_gru.onnx").rename(folder / "arem" / "1" / "model.onnx")
    for protocol in ("grpc", "v2"):
        there = folder / f"far_{protocol}" / "1"
        there.mkdir(parents=True)
        uri = uris[protocol].format("gru")
        (there / "endpoint.toml").write_text(
            f'uri = "{uri}"\nversion = "1"\nmax_coalitions = 600\nestimator = "regression"\n'
        )
        (there / "schema.json").write_text('{"bounded": true, "background": {"events": [0, 0, 0, 0, 0]}}')


def _allowed() -> list[str]:
    """Returns the flags that let requests name endpoints of this machine."""
    allowed = "grpc://127.0.0.1:*/* http://127.0.0.1:*/*"
    return ["--endpoint-allow", allowed, "--endpoint-networks", "127.0.0.0/8"]


def _environment() -> dict[str, str]:
    """Returns this process's environment with the same import path, and without settings of a server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SEQUELA_")}
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {
        **kept,
        **dict.fromkeys(THREADS, "1"),
        "SEQUELA_STORE": "memory:",
        "PYTHONPATH": path,
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


@contextmanager
def _server(folder: Path, name: str, *arguments: str) -> Iterator[Address]:
    """Starts a server process, and waits until it is ready."""
    ready, log = folder / f"{name}.json", folder / f"{name}.log"
    command = [sys.executable, "-m", "sequela", *SERVE, "--ready-file", str(ready), *arguments]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stderr=errors, env=_environment(), cwd=folder) as running,
    ):
        try:
            yield _address(running, ready, log)
        finally:
            running.kill()  # a drain would save nothing


def _address(running: subprocess.Popen[bytes], ready: Path, log: Path) -> Address:
    end = time.monotonic() + PATIENCE
    while not ready.exists():
        if running.poll() is not None or time.monotonic() > end:
            running.kill()
            raise RuntimeError(f"the server did not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.05)
    return Address(**json.loads(ready.read_text()))
