"""The model repository changes while a real server runs its models in engines."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import grpc
import httpx
import numpy as np
import onnx
import pytest
from api.rpc_calls import background, explain_request, sequence
from endpoint_folders import metric
from matrix import ROOT
from model_engines.engine_processes import stopped, trusted_engines
from sequela import engine_pools
from sequela.adapters.repository import local_models
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded
from waiting import PATIENCE, eventually

INTERVAL_SECONDS = 0.1
NEWEST = pb.GetModelRequest(name="models/gru/versions/2")
seeds = count(1_000)
BATCH_SECONDS = 200.0
"""The deadline of a batch that takes ten seconds."""
LONG = pb.ExplainOptions(pruning_tolerance=0, max_coalitions=1 << 14, target_standard_error=0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with `gru/1`."""
    put(tmp_path, 1)
    return tmp_path


@pytest.fixture
def server(root: Path) -> Iterator[Serving]:
    """A server with two engines, which reads the repository often."""
    with Serving(embedded(engines=2, model_repository=root, repository_interval=INTERVAL_SECONDS)) as running:
        yield running


def put(root: Path, version: int, scale: float = 1.0) -> None:
    """Adds a version whose recurrent weights are scaled, so that it is another model."""
    model = onnx.load(ROOT / "gru" / "1" / "model.onnx")
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT:
            scaled = onnx.numpy_helper.to_array(weights) * np.float32(scale)
            weights.CopyFrom(onnx.numpy_helper.from_array(scaled, weights.name))
    folder = root / "gru" / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    schema = ROOT / "gru" / "1" / "schema.json"
    if schema.exists():
        shutil.copy(schema, folder / "schema.json")


def version(server: Serving, name: str = "gru", seed: int = 0) -> str:
    """Returns which model answers, or the reason why none does."""
    request = explain_request(model=pb.ModelReference(name=name), sequence=sequence(seed, 6))
    try:
        return server.explanations.Explain(request, timeout=PATIENCE).explanation.model
    except grpc.RpcError as error:
        return Failure(error).reason


def full(number: int) -> str:
    return f"models/gru/versions/{number}"


@pytest.mark.slow
def test_a_new_version_takes_over_without_an_error(root: Path, server: Serving) -> None:
    """While callers go on: each answer comes from one version or the other, and never the earlier after the later."""
    put(root, 2, 0.5)
    answers = [version(server, seed=seed) for seed in range(5)]
    eventually(lambda: answers.append(version(server, seed=len(answers))) or answers[-1] == full(2))
    assert answers == sorted(answers)
    assert set(answers) <= {full(1), full(2)}
    # Both engines have it, at the same time.
    with ThreadPoolExecutor(4) as callers:
        assert set(callers.map(lambda seed: version(server, seed=seed), range(100, 108))) == {full(2)}
    assert version(server, "gru/1", 9) == full(1)


@pytest.mark.slow
def test_engines_that_start_later_have_it_too(root: Path, server: Serving) -> None:
    """Every engine is killed, and the next ones load what the repository has now."""
    others = set(trusted_engines())
    put(root, 2, 0.5)
    eventually(lambda: version(server) == full(2))
    for engine in others:
        os.kill(engine, signal.SIGKILL)
    eventually(lambda: bool(trusted_engines()) and not set(trusted_engines()) & others)
    eventually(lambda: version(server, seed=3) == full(2))


@pytest.mark.slow
def test_requests_in_flight_end_with_the_model_they_began_with(root: Path, server: Serving) -> None:
    """Its folder is removed under them; nobody else finds it any more, and its engines let it go in the end."""
    put(root, 2, 0.5)
    eventually(lambda: version(server) == full(2))
    long = [
        explain_request(model=pb.ModelReference(name="gru/2"), sequence=sequence(seed, 300), options=LONG)
        for seed in range(3)
    ]
    explain = server.explanations.Explain
    sample, executor = server.wired.metrics.registry.get_sample_value, {"executor": "explain"}
    eventually(lambda: sample("sequela_engines_up", {"class": "trusted"}) == 2)
    with ThreadPoolExecutor(3) as callers:
        calls = [callers.submit(explain, each, timeout=PATIENCE) for each in long[:2]]
        eventually(lambda: sample("sequela_inflight", executor) == 2)
        with stopped(trusted_engines()):
            # Two are at work, and the third one waits for an engine.
            calls.append(callers.submit(explain, long[2], timeout=PATIENCE))
            eventually(lambda: sample("sequela_queue_depth", executor) == 1)
            shutil.rmtree(root / "gru" / "2")
            eventually(lambda: version_listed(server) == [full(1)])
            assert not any(call.done() for call in calls)
        assert {call.result(PATIENCE).explanation.model for call in calls} == {full(2)}
    assert version(server, "gru/2") == "MODEL_NOT_FOUND"
    assert version(server, "gru", 5) == full(1)
    local = server.wired.configured._models
    eventually(lambda: not local._leaving)


def version_listed(server: Serving) -> list[str]:
    return [each.name for each in server.models.ListModels(pb.ListModelsRequest()).models]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("engines", [0, 2])
def test_a_batch_is_answered_by_one_version(root: Path, engines: int) -> None:
    """One that is added between its rows changes nothing, nor does the removal of its own."""
    settings = embedded(engines=engines, model_repository=root, repository_interval=INTERVAL_SECONDS)
    with Serving(settings) as server, ThreadPoolExecutor(1) as caller:
        store_background(server)
        call = caller.submit(explain_rows, server)
        sample = server.wired.metrics.registry.get_sample_value
        eventually(lambda: (sample("sequela_inflight", {"executor": "explain"}) or 0) > 0)
        put(root, 2, 0.5)
        eventually(lambda: full(2) in version_listed(server))
        shutil.rmtree(root / "gru" / "1")
        eventually(lambda: version_listed(server) == [full(2)])
        eventually(lambda: server.models.GetModel(NEWEST).model.state == pb.MODEL_STATE_READY)
        assert not call.done()
        answer = call.result(BATCH_SECONDS)
    assert answer.status_code == 200, answer.text
    assert {each["model"] for each in answer.json()["explanations"]} == {full(1)}


def store_background(server: Serving) -> None:
    model = pb.ModelReference(name="gru")
    header = pb.CreateBackgroundHeader(name="models/gru/backgrounds/usual", model=model)
    values = pb.CreateBackgroundRequest(values=background().values)
    server.backgrounds.CreateBackground(iter([pb.CreateBackgroundRequest(header=header), values]))


def explain_rows(server: Serving) -> httpx.Response:
    rows = np.random.default_rng(3).normal(size=(8, 40, 5)).tolist()
    # So much that the repository changes several times meanwhile, on machines of any speed.
    much = {"target_standard_error": 0, "pruning_tolerance": 0, "max_coalitions": 1 << 14}
    body = {"instances": rows, "parameters": {"background": "usual", **much}}
    url = f"http://{server.bound.http}/v1/models/gru:explain"
    headers = {"x-request-timeout-ms": f"{1000 * BATCH_SECONDS:.0f}"}
    return httpx.post(url, json=body, headers=headers, timeout=BATCH_SECONDS)


@pytest.mark.slow
def test_a_version_that_ends_its_loader_harms_nobody(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is FAILED, with the reason on /readyz; the server stays ready, and version 1 answers."""
    monkeypatch.setattr(engine_pools, "LOAD_ENTRY", "model_engines.fragile_engine:serve")
    settings = embedded(engines=1, model_repository=root, repository_interval=INTERVAL_SECONDS)
    with Serving(settings) as server:
        deadly = onnx.load(root / "gru" / "1" / "model.onnx")
        deadly.doc_string = "ABORT"
        (root / "gru" / "2").mkdir()
        onnx.save(deadly, root / "gru" / "2" / "model.onnx")
        eventually(lambda: "gru/versions/2 FAILED" in page(server).text)
        found = page(server)
        assert found.status_code == 200
        assert "SIGABRT" in found.text
        assert version(server) == full(1)


@pytest.mark.slow
def test_the_first_model_of_an_empty_repository(tmp_path: Path) -> None:
    """A server that started without models gets engines, and is ready, when the first one is added."""
    settings = embedded(engines=1, model_repository=tmp_path, repository_interval=INTERVAL_SECONDS)
    with Serving(settings, wait=False) as server:
        assert version(server) == "MODEL_NOT_FOUND"
        assert page(server).text.startswith("the model repository has no model")
        put(tmp_path, 1)
        eventually(lambda: version(server) == full(1))
        eventually(lambda: page(server).text == "ok\n")


@pytest.mark.slow
def test_an_engine_that_starts_while_the_volume_is_away_gets_its_models_later(
    root: Path, server: Serving
) -> None:
    """It tells that it has none, its requests fail, and all succeed once the volume is back, without a restart.

    Metrics say so too, for the operator.
    """
    assert metric(server, "sequela_model_absent", model="gru/1") == 0
    eventually(lambda: metric(server, "sequela_engines_up", **{"class": "trusted"}) == 2)
    (killed, _) = trusted_engines()
    (root / "gru").rename(root.with_name("away"))
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: "could not load it in the last minute" in page(server).text)
    assert page(server).status_code == 200
    assert metric(server, "sequela_model_absent", model="gru/1") == 1
    eventually(lambda: version(server, seed=next(seeds)) == "MODEL_CHANGED")
    root.with_name("away").rename(root / "gru")
    eventually(lambda: {version(server, seed=next(seeds)) for _ in range(12)} == {full(1)})


@pytest.mark.slow
def test_a_removed_version_is_let_go_after_a_failed_request(
    root: Path, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although Python does not look for cycles by itself: the error of the request keeps no model in use."""
    put(root, 2, 0.5)
    eventually(lambda: version(server) == full(2))
    monkeypatch.setattr(local_models, "COLLECT_SECONDS", 0.0)
    gc.disable()
    try:
        wrong = explain_request(model=pb.ModelReference(name="gru/2"), sequence=pb.Sequence())
        with pytest.raises(grpc.RpcError):
            server.explanations.Explain(wrong, timeout=PATIENCE)
        shutil.rmtree(root / "gru" / "2")
        eventually(lambda: version_listed(server) == [full(1)])
        local = server.wired.configured._models
        eventually(lambda: not local._leaving)
    finally:
        gc.enable()


def page(server: Serving) -> httpx.Response:
    return httpx.get(f"http://{server.bound.http}/readyz", timeout=PATIENCE)
