"""Secrets and values are put into a real server by every way in, and searched for in everything that it writes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import onnx
import pytest
from api.rpc_calls import COLUMNS, GRU, explain_request, inline, upload
from credential_files import bearer, token_line
from sequela_proto.inference import open_inference_pb2 as oip
from sequela_proto.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from sequela_proto.v1 import sequela_pb2 as pb
from sequela_proto.v1 import sequela_pb2_grpc as rpc
from serving import inputs, tensor
from waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("service", "clients/python", "proto/python")

TOKEN, UNKNOWN_TOKEN, PASSWORD = "canary-token-5e1f", "canary-unknown-77ab", "canary-password-31cd"
SECRETS = (TOKEN, UNKNOWN_TOKEN, PASSWORD)
NUMBER, CATEGORY = 31337.4242, 271828182
TEXTS = ("canary-caller", "canary-label", "canary-caption", "canary-text", "canary-model", "canary-doc")
PAYLOAD = (*TEXTS, "31337", str(CATEGORY))
"""Parts of what callers send that are not names."""


@dataclass(frozen=True)
class Run:
    """A server, and what it has written."""

    grpc: str
    http: str
    folder: Path

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Yields the name and content of each file."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "tokens.txt":
                yield path.name, path.read_bytes()


@contextmanager
def running(folder: Path, *arguments: str, **variables: str) -> Iterator[Run]:
    """Runs a server as a process, whose log goes to a file. At the end, it drains and exits with 0."""
    ready, tokens = folder / "ready.json", folder / "tokens.txt"
    tokens.write_text(token_line("client", TOKEN, "admin"))
    path = os.pathsep.join(str(ROOT / package) for package in PACKAGES)
    given = ["--port", "0", "--http-port", "0", "--ready-file", str(ready), "--drain-delay", "0"]
    ours = ["--tokens", str(tokens), "--audit-log", str(folder / "audit.log"), "--no-open-metrics"]
    command = [sys.executable, "-m", "sequela", "serve", *given, *ours, *arguments]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, stderr=log, stdout=log, env={**os.environ, "PYTHONPATH": path, **variables}
        )
        try:
            end = time.monotonic() + PATIENCE
            while not ready.exists():
                assert server.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.05)
            yield Run(**json.loads(ready.read_text()), folder=folder)
            server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE) == 0
        finally:
            server.kill()
            server.wait()


def strange_model() -> bytes:
    """Returns a model with texts in each place that has room for one, and an operator that nobody has."""
    graph = onnx.helper.make_graph([], "canary-model", [], [], doc_string="canary-doc")
    graph.node.append(
        onnx.helper.make_node("CanaryOp", ["canary-model"], ["canary-model"], name="canary-model")
    )
    made = onnx.helper.make_model(graph, doc_string="canary-doc")
    onnx.helper.set_model_props(made, {"canary-model": "canary-doc"})
    content: bytes = made.SerializeToString()
    return content


def values(number: float = NUMBER) -> np.ndarray[Any, Any]:
    filled = np.zeros((6, COLUMNS))
    filled[2, 1] = number
    return filled


def requests() -> Iterator[pb.ExplainRequest]:
    """Yields good and wrong requests, each with canaries."""
    events = [pb.EventInfo(id="canary-caption", display={"canary-caption": "canary-caption"})] * 6
    texts: dict[str, Any] = {"caller_id": "canary-caller", "labels": {"canary-label": "canary-label"}}
    sequence = pb.Sequence(inputs=inputs(values()), events=events)
    yield explain_request(sequence=sequence, **texts)
    yield explain_request(sequence=pb.Sequence(inputs=inputs(values(np.nan))), **texts)
    yield explain_request(sequence=pb.Sequence(inputs=inputs(values()[:, :2])), **texts)
    strange = pb.Tensor(dtype=pb.DATA_TYPE_FLOAT32, shape=[6, COLUMNS], raw=b"canary-text")
    yield explain_request(sequence=pb.Sequence(inputs=[pb.InputTensor(tensor=strange)]), **texts)
    yield explain_request(
        sequence=pb.Sequence(inputs=[pb.InputTensor(name="canary-text", tensor=tensor(values()))])
    )
    yield explain_request(sequence=sequence, labels={"canary-label": "canary-text" * 1000})
    yield explain_request(sequence=sequence, caller_id="canary-caller" * 1000)
    yield explain_request(model=inline(strange_model()), **texts)
    yield explain_request(model=inline(b"canary-model" * 10), **texts)
    wrong = f"https://canary-text:{PASSWORD}@models.example/v2/models/canary-text"
    yield explain_request(model=pb.ModelReference(endpoint=pb.EndpointModel(uri=wrong)), **texts)


def bodies() -> Iterator[bytes]:
    """Yields bodies for HTTP, of which most are wrong."""
    yield json.dumps(
        {"instances": [values().tolist()], "parameters": {"caller_id": "canary-caller"}}
    ).encode()
    yield json.dumps({"instances": [[["canary-text"]]]}).encode()
    yield json.dumps({"instances": [[[CATEGORY, "canary-text"]]], "canary-text": 1}).encode()
    yield json.dumps(
        {"instances": [values().tolist()], "parameters": {"caller_id": ["canary-text"]}}
    ).encode()
    yield b'{"instances": [[1]], "parameters": {"canary-text": 1}}'
    yield b'{"instances": [["canary-text'
    yield b"canary-text"
    yield b'{"instances": "\\ud800canary-text"}'
    data = {"name": "events", "shape": [1, 2, "canary-text"], "datatype": "FP32", "data": ["canary-text"]}
    yield json.dumps({"inputs": [data], "id": "canary-text"}).encode()


def ask_everything(run: Run) -> list[str]:
    """Sends all requests by all doors. Returns the texts of all errors."""
    errors: list[str] = []
    metadata = bearer(TOKEN)
    with grpc.insecure_channel(run.grpc) as channel:
        explanations, models = rpc.ExplanationServiceStub(channel), rpc.ModelServiceStub(channel)

        def call(method: Any, request: Any, metadata: Any = metadata) -> None:
            try:
                method(request, metadata=metadata, timeout=PATIENCE)
            except grpc.RpcError as error:
                errors.append(f"{error.details()} {error.trailing_metadata()}")

        for request in requests():
            call(explanations.Explain, request)
            call(explanations.Score, pb.ScoreRequest(model=request.model, sequences=[request.sequence]))
        call(models.RegisterModel, iter(upload("m", strange_model())))
        call(models.RegisterModel, iter(upload("m", b"canary-model" * 10)))
        call(models.RegisterModel, iter(upload("gru", GRU)))
        for header in (f"Bearer {UNKNOWN_TOKEN}", f"Basic {UNKNOWN_TOKEN}", f"Bearer {UNKNOWN_TOKEN}.a.b"):
            call(models.ListModels, pb.ListModelsRequest(), (("authorization", header),))
        listing = pb.ListExplanationsRequest(
            caller_id="canary-caller", labels={"canary-label": "canary-label"}
        )
        call(explanations.ListExplanations, listing)
        items = [pb.ExplainStreamRequest(request=each) for each in requests()]
        answers = explanations.ExplainStream(iter(items), metadata=metadata, timeout=PATIENCE)
        errors.extend(answer.error.message for answer in answers)
        infer = oip.ModelInferRequest(model_name="gru", id="canary-text")
        infer.inputs.add(name="canary-text", datatype="canary-text", shape=[1])
        call(GRPCInferenceServiceStub(channel).ModelInfer, infer)
    with httpx.Client(base_url=f"http://{run.http}", headers=dict(metadata), timeout=PATIENCE) as client:
        paths = ("/v1/models/gru:explain", "/v1/models/gru:predict", "/v2/models/gru/infer")
        errors.extend(client.post(path, content=body).text for body in bodies() for path in paths)
        errors.append(client.get("/v1/models", headers={"authorization": f"Bearer {UNKNOWN_TOKEN}"}).text)
        (run.folder / "metrics.txt").write_text(client.get("/metrics").text)
    return errors


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[str]]:
    """A run in which everything was asked, and which has ended."""
    folder = tmp_path_factory.mktemp("canaries")
    with running(folder) as found:
        errors = ask_everything(found)
    return found, errors


@pytest.mark.slow
def test_a_password_of_the_store(tmp_path: Path) -> None:
    """Neither in the log nor in errors, while the store is down. Traces hold values on purpose, but no token."""
    traces = tmp_path / "traces"
    arguments = ("--redis-url", f"redis://user:{PASSWORD}@127.0.0.1:1/0", "--trace-dir", str(traces))
    # An empty variable counts as unset. The tests' own is for a store in memory.
    with (
        running(tmp_path, *arguments, SEQUELA_STORE="") as found,
        grpc.insecure_channel(found.grpc) as channel,
    ):
        models, explanations = rpc.ModelServiceStub(channel), rpc.ExplanationServiceStub(channel)
        assert explanations.Explain(
            explain_request(), metadata=bearer(TOKEN), timeout=PATIENCE
        ).explanation.name
        with pytest.raises(grpc.RpcError) as caught:
            models.RegisterModel(iter(upload("gru", GRU)), metadata=bearer(TOKEN), timeout=PATIENCE)
    assert "STORE_DOWN" in str(caught.value.trailing_metadata())
    assert PASSWORD not in f"{caught.value.details()} {caught.value.trailing_metadata()}"
    assert "store down" in (tmp_path / "server.log").read_text()
    assert list(traces.rglob("*.json"))
    assert not [name for name, content in found.written() for each in SECRETS if each.encode() in content]


def test_what_the_server_writes(run: tuple[Run, list[str]]) -> None:
    """Neither secrets nor values are in the log, the audit log, and the metrics."""
    found, _ = run
    names = set()
    for name, content in found.written():
        names.add(name)
        for canary in (*SECRETS, *PAYLOAD):
            line = next((each for each in content.splitlines() if canary.encode() in each), b"")
            assert not line, f"{canary} is in {name}: {line!r}"
    assert names == {"server.log", "audit.log", "metrics.txt", "ready.json"}


def test_errors_hold_no_secrets(run: tuple[Run, list[str]]) -> None:
    """A caller may read its own values in them, but no token and no password."""
    _, errors = run
    assert len(errors) > 40
    assert not [each for each in errors for secret in SECRETS if secret in each]


def test_the_requests_were_handled(run: tuple[Run, list[str]]) -> None:
    """The log and the audit log have all of them, good ones among them, and none failed for a bug of ours."""
    found, _ = run
    audit = [json.loads(line) for line in (found.folder / "audit.log").read_text().splitlines()]
    outcomes = {each["outcome"] for each in audit}
    assert outcomes >= {"OK", "INVALID_ARGUMENT", "UNAUTHENTICATED", "200", "400", "401"}
    assert not outcomes & {"INTERNAL", "500", "UNKNOWN"}
    log = (found.folder / "server.log").read_text()
    assert not re.search(r'"(error|critical)"', log), log
