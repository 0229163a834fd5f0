"""The model servers that other tests explain through: they answer what ONNX Runtime answers in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from real_servers import MODELS, PATIENCE, ROOT, SERVERS, RealServer, ask_tritonclient, running
from waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(600)]

DATATYPES = {"tensor(float)": "FP32", "tensor(int64)": "INT64"}
ROWS, EVENTS = 5, 7
TOLERANCE = 1e-6

Arrays = Mapping[str, NDArray[Any]]


@pytest.fixture(scope="module")
def kserve() -> Iterator[RealServer]:
    with running("kserve") as server:
        yield server


@pytest.mark.parametrize("model", MODELS)
def test_scores_over_grpc(real_server: RealServer, model: str) -> None:
    """tritonclient gets the scores of every model."""
    arrays = drawn(model)
    _, outputs = ask_tritonclient(real_server.grpc, model, on_the_wire(real_server, arrays))
    assert_scores(model, arrays, outputs)


@pytest.mark.parametrize("model", MODELS)
def test_scores_over_http(real_server: RealServer, model: str) -> None:
    """V2's JSON gets them too."""
    arrays = drawn(model)
    answer = infer(real_server, model, on_the_wire(real_server, arrays)).raise_for_status().json()
    outputs = {each["name"]: np.reshape(each["data"], each["shape"]) for each in answer["outputs"]}
    assert_scores(model, arrays, outputs)


@pytest.mark.parametrize("model", MODELS)
def test_metadata_is_the_models(real_server: RealServer, model: str) -> None:
    """Names, datatypes and shapes of the ONNX file, -1 where it leaves the size open. Triton has no tensor of one
    dimension: it shows (n) as (n, 1).
    """
    arrays = on_the_wire(real_server, drawn(model))
    metadata, _ = ask_tritonclient(real_server.grpc, model, arrays)
    session = ort.InferenceSession(MODELS[model])
    assert metadata["name"] == model
    assert shown(metadata["inputs"]) == described(real_server, session.get_inputs())
    assert shown(metadata["outputs"]) == described(real_server, session.get_outputs())
    assert httpx.get(f"{real_server.http}/v2/models/{model}", timeout=PATIENCE).json()["inputs"] == [
        {"name": name, "datatype": datatype, "shape": shape}
        for name, datatype, shape in shown(metadata["inputs"])
    ]


@pytest.mark.parametrize("model", MODELS)
def test_v1_predictions(kserve: RealServer, model: str) -> None:
    """KServe's V1: an instance is the value of the only input, or an object of values by name."""
    arrays = drawn(model)
    rows = [{name: values[row].tolist() for name, values in arrays.items()} for row in range(ROWS)]
    instances = rows if len(arrays) > 1 else [next(iter(row.values())) for row in rows]
    url = f"{kserve.http}/v1/models/{model}:predict"
    answer = httpx.post(url, json={"instances": instances}, timeout=PATIENCE)
    predictions = answer.raise_for_status().json()["predictions"]
    np.testing.assert_allclose(predictions, scores(model, arrays), rtol=0, atol=TOLERANCE)


def test_triton_bounds_its_batches() -> None:
    """64 rows are answered, 65 refused with the limit: our batches must fit it."""
    with running("triton", {"transformer": MODELS["transformer"]}) as server:
        assert infer(server, "transformer", drawn("transformer", 64)).is_success
        refused = infer(server, "transformer", drawn("transformer", 65))
        assert refused.status_code == 400
        assert "batch-size must be <= 64" in refused.json()["error"]


@pytest.mark.parametrize("name", SERVERS)
def test_a_slow_server_takes_its_time(name: str) -> None:
    """A call takes the delay at least."""
    with running(name, {"transformer": MODELS["transformer"]}, delay=0.3) as server:
        started = time.monotonic()
        infer(server, "transformer", drawn("transformer")).raise_for_status()
        assert time.monotonic() - started >= 0.3


def test_a_killed_server_comes_back_where_it_was() -> None:
    """On the same ports."""
    with running("kserve") as server:
        server.kill()
        with pytest.raises(httpx.TransportError):
            httpx.get(server.http)
        server.start()
        assert httpx.get(server.http, timeout=PATIENCE).is_success


STARTER = """
import sys, time
from real_servers import RealServer
server = RealServer(sys.argv[1])
server.start()
print(server.http, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_ends_with_its_parent(name: str) -> None:
    """Even with one that was killed, so that no test run leaves servers behind."""
    paths = os.pathsep.join(str(path) for path in (ROOT, ROOT / "tests", ROOT / "service"))
    command = [sys.executable, "-c", STARTER, name]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "PYTHONPATH": paths, "TMPDIR": folder}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
            assert parent.stdout is not None
            http = parent.stdout.readline().strip()
            assert httpx.get(f"{http}/v2/health/ready", timeout=PATIENCE).is_success
            parent.send_signal(signal.SIGKILL)
        eventually(lambda: not listens(http), PATIENCE)


def drawn(model: str, rows: int = ROWS, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Inputs by name, ids from 0 and 1."""
    rng = np.random.default_rng(seed)
    inputs = ort.InferenceSession(MODELS[model]).get_inputs()
    sizes = {each.name: [rows, EVENTS, *each.shape[2:]][: len(each.shape)] for each in inputs}
    sizes |= {each.name: [rows, each.shape[1]] for each in inputs if len(each.shape) == 2}
    return {
        each.name: rng.integers(2, size=sizes[each.name])
        if each.type == "tensor(int64)"
        else rng.normal(size=sizes[each.name]).astype(np.float32)
        for each in inputs
    }


def scores(model: str, arrays: Arrays) -> NDArray[Any]:
    answer: NDArray[Any] = ort.InferenceSession(MODELS[model]).run(None, dict(arrays))[0]
    return answer


def assert_scores(model: str, arrays: Arrays, outputs: Arrays) -> None:
    (output,) = ort.InferenceSession(MODELS[model]).get_outputs()
    assert list(outputs) == [output.name]
    np.testing.assert_allclose(outputs[output.name], scores(model, arrays), rtol=0, atol=TOLERANCE)


def on_the_wire(server: RealServer, arrays: Arrays) -> dict[str, NDArray[Any]]:
    if server.name != "triton":
        return dict(arrays)
    return {name: values.reshape(len(values), *(values.shape[1:] or (1,))) for name, values in arrays.items()}


def infer(server: RealServer, model: str, arrays: Arrays) -> httpx.Response:
    inputs = [
        {
            "name": name,
            "datatype": "FP32" if values.dtype == np.float32 else "INT64",
            "shape": list(values.shape),
            "data": values.reshape(-1).tolist(),
        }
        for name, values in arrays.items()
    ]
    return httpx.post(f"{server.http}/v2/models/{model}/infer", json={"inputs": inputs}, timeout=PATIENCE)


def shown(tensors: list[dict[str, Any]]) -> list[tuple[str, str, list[int]]]:
    """Protobuf's JSON writes 64-bit integers as strings."""
    return [(each["name"], each["datatype"], [int(size) for size in each["shape"]]) for each in tensors]


def described(server: RealServer, nodes: list[Any]) -> list[tuple[str, str, list[int]]]:
    shapes = [[size if isinstance(size, int) else -1 for size in node.shape] for node in nodes]
    if server.name == "triton":
        shapes = [shape if len(shape) > 1 else [*shape, 1] for shape in shapes]
    return [(node.name, DATATYPES[node.type], shape) for node, shape in zip(nodes, shapes, strict=True)]


def listens(http: str) -> bool:
    try:
        httpx.get(http)
    except httpx.TransportError:
        return False
    return True
