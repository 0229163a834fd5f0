"""Requests and models that end the engines of the operator's models again and again are refused for a while."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from api.rpc_calls import explain_request, sequence
from matrix import ROOT
from model_engines.crashing_engine import DEADLY
from sequela import engine_pools
from sequela.engines import backoff
from sequela.model_engines import crashes, engine_service
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, inputs
from waiting import PATIENCE, eventually


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name in ("gru", "transformer"):
        shutil.copytree(ROOT / name, root / name)
    return root


def asked(model: str = "gru", seed: int = 0, **more: Any) -> pb.ExplainRequest:
    return explain_request(model=pb.ModelReference(name=model), sequence=sequence(seed, 12), **more)


def answered(server: Serving) -> bool:
    return reason_of(server.explanations.Explain, asked()) == "ok"


@pytest.mark.slow
def test_a_request_that_crashes_again_and_again_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice UNAVAILABLE, since clients repeat it; then a named error. Other sequences are answered."""
    monkeypatch.setattr(engine_pools, "MODEL_ENTRY", "model_engines.crashing_engine:serve")
    with Serving(embedded(engines=1, model_repository=repository)) as server:
        crashes = asked(caller_id="ABORT")
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as caught:
                server.explanations.Explain(crashes, timeout=PATIENCE)
            assert Failure(caught.value).reason == "ENGINE_CRASHED"
        with pytest.raises(grpc.RpcError) as caught:
            server.explanations.Explain(crashes, timeout=PATIENCE)
        failed = Failure(caught.value)
        assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "REQUEST_QUARANTINED")
        assert server.explanations.Explain(asked(seed=1)).explanation.explained


def reason_of(call: Any, *args: Any) -> str:
    try:
        call(*args, timeout=PATIENCE)
    except grpc.RpcError as error:
        return Failure(error).reason
    return "ok"


def test_no_door_leads_around_the_refusal_of_a_sequence(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two crashes neither another id, nor Score, nor HTTP tries the same sequence again."""
    monkeypatch.setattr(engine_pools, "MODEL_ENTRY", "model_engines.crashing_engine:serve")
    with Serving(embedded(engines=2, model_repository=repository)) as server:
        deadly = deadly_sequence(0)
        explain, score = server.explanations.Explain, server.explanations.Score
        model = pb.ModelReference(name="gru")
        asks = [explain_request(model=model, sequence=deadly, caller_id=each) for each in ("a", "b", "c")]
        assert [reason_of(explain, each) for each in asks] == [*["ENGINE_CRASHED"] * 2, "REQUEST_QUARANTINED"]
        assert reason_of(score, pb.ScoreRequest(model=model, sequences=[deadly])) == "REQUEST_QUARANTINED"
        pair = pb.ScoreRequest(model=model, sequences=[sequence(1), deadly])
        assert reason_of(score, pair) == "REQUEST_QUARANTINED"
        rows = deadly_rows(0).tolist()
        url = f"http://{server.bound.http}/v1/models/gru:predict"
        found = httpx.post(url, json={"instances": [rows]}, timeout=PATIENCE)
        assert (found.status_code, "sequence has ended" in found.text) == (422, True), found.text
        assert explain(asked(seed=1)).explanation.explained
        exits = server.wired.metrics.registry.get_sample_value
        assert exits("sequela_engine_exits_total", {"class": "trusted", "reason": "crashed"}) == 2


def test_a_model_that_crashes_on_many_sequences_rests(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MODEL_UNSTABLE, UNAVAILABLE with the time to wait, for this model only. The server stays ready meanwhile."""
    monkeypatch.setattr(engine_pools, "MODEL_ENTRY", "model_engines.crashing_engine:serve")
    rest = 2 * PATIENCE
    monkeypatch.setattr(crashes, "REST_SECONDS", rest)
    monkeypatch.setattr(crashes, "WINDOW_SECONDS", math.inf)
    monkeypatch.setattr(engine_service, "DOWN_SECONDS", PATIENCE)
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.01)
    with Serving(embedded(engines=1, model_repository=repository)) as server:
        model = pb.ModelReference(name="gru")
        page = f"http://{server.bound.http}/readyz"
        for seed in range(crashes.MAX_MODEL_CRASHES):
            score = pb.ScoreRequest(model=model, sequences=[deadly_sequence(seed)])
            assert reason_of(server.explanations.Score, score) == "ENGINE_CRASHED"
            assert httpx.get(page, timeout=PATIENCE).status_code == 200
        with pytest.raises(grpc.RpcError) as caught:
            server.explanations.Explain(asked(), timeout=PATIENCE)
        failed = Failure(caught.value)
        assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "MODEL_UNSTABLE")
        assert 0 < failed.retry <= rest
        assert server.explanations.Explain(asked("transformer"), timeout=PATIENCE).explanation.explained
        monkeypatch.setattr(crashes, "REST_SECONDS", 0.0)  # as if it were over
        eventually(lambda: answered(server))


def deadly_rows(seed: int) -> np.ndarray[Any, Any]:
    rows = np.random.default_rng(seed).normal(size=(6, 5)).astype(np.float32)
    rows[2, 3] = DEADLY
    return rows


def deadly_sequence(seed: int) -> pb.Sequence:
    return pb.Sequence(inputs=inputs(deadly_rows(seed)))
