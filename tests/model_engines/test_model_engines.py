"""The operator's models run in processes of their own: same answers, and one that ends harms one request only."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import onnx
import pytest
from api.rpc_calls import background, explain_request, register, sequence
from google.protobuf.message import Message
from matrix import BY_NAME, ROOT, copy_models
from model_engines.engine_processes import stopped, trusted_engines, untrusted_engines
from sequela import engine_pools
from sequela.adapters.onnx.loader import Loader
from sequela.api import server as api_server
from sequela.engines.pool import EnginePool
from sequela.explain.service import Explainer
from sequela.model_engines import engine_service
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, explained_by_deadline
from waiting import PATIENCE, eventually

MODELS = ("gru", "transformer", "attention_weights")
DRAIN_SECONDS, WORK_SHARE = 30.0, 0.02
"""Explanations go on for a moment, and then have long enough to conclude, also on a busy machine."""
ENDLESS = pb.ExplainOptions(pruning_tolerance=0, max_coalitions=1 << 20, target_standard_error=0)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name in MODELS:
        if name in BY_NAME:
            shutil.copytree(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def gru(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one model, for servers of one test."""
    return copy_models(tmp_path_factory.mktemp("models"), ["gru"])


@pytest.fixture(scope="module")
def engined(repository: Path) -> Iterator[Serving]:
    """A server with two engines. All tests share it, so they must not end an engine."""
    with Serving(embedded(engines=2, model_repository=repository)) as server:
        yield server


def asked(model: str = "gru", seed: int = 0, **more: Any) -> pb.ExplainRequest:
    return explain_request(model=pb.ModelReference(name=model), sequence=sequence(seed, 12), **more)


def without_times(message: Message) -> bytes:
    """Returns the bytes of a message without what depends on the time."""
    for field, value in message.ListFields():
        if field.name in ("time", "stage_times", "create_time"):
            message.ClearField(field.name)
        elif field.message_type and not field.is_repeated:
            without_times(value)
    return message.SerializeToString(deterministic=True)


def answers(server: Serving) -> list[bytes]:
    """Returns what a server answers by all of its doors."""
    below = asked(options=pb.ExplainOptions(minimum_score=2.0))
    requests = [asked("gru"), asked("transformer"), asked("gru", 1, caller_id="a", labels={"b": "c"}), below]
    found = [without_times(server.explanations.Explain(each).explanation) for each in requests]
    # The same again is found in the store.
    found += [without_times(server.explanations.Explain(each).explanation) for each in requests]
    wrong = pb.ExplainRequest(model=requests[0].model, sequence=sequence(0, 3))
    items = [*requests[:2], wrong, requests[2]]
    stream = server.explanations.ExplainStream(
        iter([pb.ExplainStreamRequest(request=each) for each in items])
    )
    found += [without_times(each) for each in stream]
    scores = pb.ScoreRequest(model=requests[0].model, sequences=[sequence(seed) for seed in range(3)])
    found.append(without_times(server.explanations.Score(scores)))
    rows = [np.random.default_rng(3).normal(size=(6, 5)).tolist()] * 2
    body = {"instances": rows, "parameters": {"background": "usual"}}
    with httpx.Client(base_url=f"http://{server.bound.http}", timeout=PATIENCE) as client:
        found.append(client.post("/v1/models/gru:predict", json={"instances": rows}).content)
        explained = client.post("/v1/models/gru:explain", json=body).json()
        found.append(
            repr([each["event_level"]["attributions"] for each in explained["explanations"]]).encode()
        )
        tensor = {"name": "events", "shape": [2, 6, 5], "datatype": "FP64", "data": rows}
        infer = {"inputs": [tensor], "parameters": {"background": "usual"}}
        outputs = client.post("/v2/models/gru/infer", json=infer).json()["outputs"]
        # The whole explanation has the time when it was made.
        found.append(repr([each for each in outputs if each["name"] != "explanation"]).encode())
    return found


def with_background(server: Serving) -> Serving:
    """Stores a background for the doors that cannot send one."""
    header = pb.CreateBackgroundHeader(
        name="models/gru/backgrounds/usual", model=pb.ModelReference(name="gru")
    )
    parts = [
        pb.CreateBackgroundRequest(header=header),
        pb.CreateBackgroundRequest(values=background().values),
    ]
    server.backgrounds.CreateBackground(iter(parts))
    return server


@pytest.fixture(scope="module")
def in_one_process(repository: Path) -> list[bytes]:
    """The answers of a server without engines."""
    with Serving(embedded(model_repository=repository)) as server:
        return answers(with_background(server))


def test_each_stage_is_measured_once(engined: Serving) -> None:
    """Those in the engine, and the storing, which the server does."""

    def counts() -> dict[str, float]:
        value = engined.wired.metrics.registry.get_sample_value
        name = "sequela_stage_duration_seconds_count"
        stages = ("decode", "resolve", "score", "prune", "event", "feature", "cell", "encode", "store")
        return {stage: value(name, {"stage": stage}) or 0.0 for stage in stages}

    before = counts()
    engined.explanations.Explain(asked(seed=4711))
    eventually(lambda: all(count > before[stage] for stage, count in counts().items()))
    assert {stage: count - before[stage] for stage, count in counts().items()} == dict.fromkeys(before, 1.0)


@pytest.mark.parametrize(
    "count", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(4, marks=pytest.mark.slow)]
)
def test_engines_change_no_byte(count: int, repository: Path, in_one_process: list[bytes]) -> None:
    """By gRPC, streams and HTTP, computed or found in the store."""
    with Serving(embedded(engines=count, model_repository=repository)) as server:
        found = answers(with_background(server))
    pairs = enumerate(zip(in_one_process, found, strict=True))
    assert [place for place, (before, after) in pairs if before != after] == []


def test_no_model_is_loaded_in_the_server(gru: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines load the repository; the server knows what the models take, and describes them."""

    def load(*_: Any) -> None:
        raise AssertionError("a model was loaded in the server")

    monkeypatch.setattr(Loader, "load", load)
    with Serving(embedded(engines=1, model_repository=gru)) as server:
        found = server.models.GetModel(pb.GetModelRequest(name="models/gru")).model
        assert (found.state, found.source) == (pb.MODEL_STATE_READY, pb.MODEL_SOURCE_REPOSITORY)
        assert server.explanations.Explain(asked()).explanation.model_digest == found.digest


def test_equal_requests_are_computed_once(engined: Serving) -> None:
    """Two at the same time: the second waits for the first, and gets its answer."""
    request = asked("transformer", 77, options=pb.ExplainOptions(target_standard_error=0))
    calls = [engined.explanations.Explain.future(request, timeout=PATIENCE) for _ in range(2)]
    costs = [call.result().explanation.cost for call in calls]
    assert sorted(each.cached for each in costs) == [False, True]


def test_a_deadline_and_a_cancellation_reach_the_engine(engined: Serving) -> None:
    """The first is answered with what there is; the second frees the engine."""
    request = asked(options=ENDLESS)
    request.sequence.CopyFrom(sequence(7, 300))
    assert explained_by_deadline(engined.explanations, request, seconds=0.5).cut_short
    running = engined.wired.metrics.registry.get_sample_value
    eventually(lambda: running("sequela_inflight", {"executor": "explain"}) == 0)
    call = engined.explanations.Explain.future(request, timeout=PATIENCE)
    eventually(lambda: running("sequela_inflight", {"executor": "explain"}) == 1)
    call.cancel()
    eventually(lambda: running("sequela_inflight", {"executor": "explain"}) == 0)


def refused(call: Future[Any]) -> Failure:
    with pytest.raises(grpc.RpcError) as caught:
        call.result(PATIENCE)
    return Failure(caught.value)


@contextmanager
def held(engines: Collection[int]) -> Iterator[None]:
    """Lets no explanation begin, neither in these engines nor in this process: one at work would give way to others."""
    go_on, answer = threading.Event(), Explainer.answer

    def answer_later(self: Explainer, *given: Any) -> Any:
        go_on.wait(PATIENCE)
        return answer(self, *given)

    with pytest.MonkeyPatch.context() as patch, stopped(engines):
        patch.setattr(Explainer, "answer", answer_later)
        try:
            yield
        finally:
            go_on.set()


@pytest.mark.parametrize("engines", [0, 1])
def test_what_waited_while_it_was_deleted_is_not_stored(gru: Path, engines: int) -> None:
    """Its caller gets an answer. What is asked after the deletion is stored."""
    others = set(trusted_engines())  # of servers that other tests share
    settings = embedded(engines=engines, workers=1, max_concurrent=1, model_repository=gru)
    with Serving(settings) as server:
        server.explanations.Explain(asked())  # so that the engine has loaded everything
        sample, executor = server.wired.metrics.registry.get_sample_value, {"executor": "explain"}
        eventually(lambda: not sample("sequela_inflight", executor))
        with held(set(trusted_engines()) - others):
            busy = server.explanations.Explain.future(asked(seed=2), timeout=PATIENCE)
            eventually(lambda: sample("sequela_inflight", executor))  # so that it is the other one that waits
            waiting = server.explanations.Explain.future(asked(seed=1, caller_id="person"), timeout=PATIENCE)
            eventually(lambda: sample("sequela_queue_depth", executor))
            server.explanations.DeleteExplanation(pb.DeleteExplanationRequest(caller_id="person"))
        assert waiting.result().explanation.explained
        busy.result()
        wanted = pb.ListExplanationsRequest(caller_id="person")
        assert not server.explanations.ListExplanations(wanted).explanations
        server.explanations.Explain(asked(seed=1, caller_id="person"))
        assert len(server.explanations.ListExplanations(wanted).explanations) == 1


def test_an_engine_that_is_killed_takes_only_its_own_request_along(
    gru: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UNAVAILABLE for that one; the other goes on until the server drains; the engine is replaced; the server stays
    ready.
    """
    monkeypatch.setattr(api_server, "WORK_SHARE", WORK_SHARE)
    others = set(trusted_engines())  # of servers that other tests share
    with (
        Serving(embedded(engines=2, model_repository=gru, drain_grace=DRAIN_SECONDS)) as server,
        ThreadPoolExecutor(2) as callers,
    ):
        sample = server.wired.metrics.registry.get_sample_value
        # An engine that still loads is busy too, and has no request.
        eventually(lambda: sample("sequela_engines_up", {"class": "trusted"}) == 2)
        own = set(trusted_engines()) - others
        requests = [asked(seed=seed, options=ENDLESS) for seed in range(2)]
        for each in requests:
            each.sequence.CopyFrom(sequence(5, 300))
            each.caller_id = str(id(each))
        requests[1].sequence.CopyFrom(sequence(6, 300))
        calls = [callers.submit(server.explanations.Explain, each, timeout=2 * PATIENCE) for each in requests]
        engines = engine_pool(server)._places.all()
        eventually(lambda: sum(engine._working for engine in engines) == 2)
        os.kill(own.pop(), signal.SIGKILL)
        ended, going_on = wait(calls, PATIENCE, FIRST_COMPLETED)
        (failed,) = map(refused, ended)
        assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "ENGINE_KILLED")
        eventually(lambda: sample("sequela_engines_up", {"class": "trusted"}) == 2)
        assert sample("sequela_engine_exits_total", {"class": "trusted", "reason": "killed"}) == 1
        assert server.explanations.Explain(asked()).explanation.explained
        server.drain()
        (other,) = going_on
        assert other.result(PATIENCE).explanation.cut_short


def engine_pool(server: Serving) -> EnginePool:
    """Returns the engines of a server's repository."""
    engines = server.wired.configured._models._runners
    assert isinstance(engines, engine_pools.ModelEngines)
    pool: EnginePool = engines._pool
    return pool


def test_not_ready_while_no_engine_is_up(engined: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Health, /readyz and requests say so; then all is well again."""
    monkeypatch.setattr(engine_service, "DOWN_SECONDS", 0.0)
    page = f"http://{engined.bound.http}/readyz"
    assert httpx.get(page, timeout=PATIENCE).status_code == 200
    pool = engine_pool(engined)
    up = type(pool).up
    monkeypatch.setattr(type(pool), "up", 0)
    found = httpx.get(page, timeout=PATIENCE)
    assert (found.status_code, found.text.splitlines()[0]) == (
        503,
        "no process that runs models is up; they start again by themselves",
    )
    monkeypatch.setattr(type(pool), "up", up)
    assert httpx.get(page, timeout=PATIENCE).status_code == 200


def test_a_file_that_ends_its_loader_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAILED, with the reason, at every start; the other models load and answer."""
    shutil.copytree(ROOT / "gru", tmp_path / "gru")
    deadly = onnx.load(ROOT / "gru" / "1" / "model.onnx")
    deadly.doc_string = "ABORT"
    (tmp_path / "deadly" / "1").mkdir(parents=True)
    onnx.save(deadly, tmp_path / "deadly" / "1" / "model.onnx")
    monkeypatch.setattr(engine_pools, "LOAD_ENTRY", "model_engines.fragile_engine:serve")
    for _ in range(2):
        settings = embedded(engines=1, model_repository=tmp_path)
        with Serving(settings, wait=False) as server:
            server.wired.configured.wait()
            found = server.models.GetModel(pb.GetModelRequest(name="models/deadly")).model
            assert found.state == pb.MODEL_STATE_FAILED
            assert "SIGABRT" in found.state_detail
            eventually(lambda: answered(server))
            assert (
                "deadly/versions/1 FAILED"
                in httpx.get(f"http://{server.bound.http}/readyz", timeout=PATIENCE).text
            )


def answered(server: Serving) -> bool:
    try:
        return server.explanations.Explain(asked(), timeout=PATIENCE).explanation.explained
    except grpc.RpcError:
        return False


def test_a_drain_concludes_what_engines_work_on(gru: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is cut short, and arrives before the server ends."""
    monkeypatch.setattr(api_server, "WORK_SHARE", WORK_SHARE)
    settings = embedded(engines=1, model_repository=gru, drain_grace=DRAIN_SECONDS)
    request = asked(options=ENDLESS)
    request.sequence.CopyFrom(sequence(7, 300))
    with Serving(settings) as server:
        call = server.explanations.Explain.future(request, timeout=PATIENCE)
        sample = server.wired.metrics.registry.get_sample_value
        eventually(lambda: sample("sequela_inflight", {"executor": "explain"}) == 1)
        server.drain()
        assert call.result(PATIENCE).explanation.cut_short


def test_traces_are_written_by_engines(gru: Path, tmp_path: Path) -> None:
    """One folder for each explanation, as without engines."""
    settings = embedded(engines=1, model_repository=gru, trace_dir=tmp_path)
    with Serving(settings) as server:
        name = server.explanations.Explain(asked()).explanation.name.removeprefix("explanations/")
        eventually(lambda: any(name in str(path) for path in tmp_path.iterdir()))


@pytest.mark.slow
def test_an_engine_that_stands_still_is_replaced(gru: Path) -> None:
    """At work. Its caller hears DEADLINE_EXCEEDED, as of any request that is not done in time; then it is killed."""
    others = set(trusted_engines())  # of servers that other tests share
    request = asked(options=ENDLESS)
    request.sequence.CopyFrom(sequence(7, 300))
    with Serving(embedded(engines=1, model_repository=gru)) as server:
        sample = server.wired.metrics.registry.get_sample_value
        eventually(lambda: sample("sequela_engines_up", {"class": "trusted"}) == 1)
        (engine,) = set(trusted_engines()) - others
        call = server.explanations.Explain.future(request, timeout=10)
        eventually(lambda: sample("sequela_inflight", {"executor": "explain"}) == 1)
        os.kill(engine, signal.SIGSTOP)
        assert refused(call).code is grpc.StatusCode.DEADLINE_EXCEEDED
        labels = {"class": "trusted", "reason": "overran"}
        eventually(lambda: sample("sequela_engine_exits_total", labels) == 1)
        assert server.explanations.Explain(asked(), timeout=PATIENCE).explanation.explained


def test_an_engine_ends_with_its_model(server: Serving) -> None:
    """A deleted upload does not stay in memory."""
    onnx_bytes = BY_NAME["classes"].path.read_bytes()
    name = register(server, "short-lived", onnx_bytes).name
    before = set(untrusted_engines())
    server.models.DeleteModel(pb.DeleteModelRequest(name=name))
    eventually(lambda: set(untrusted_engines()) < before)


@pytest.mark.slow
def test_a_forced_execution_is_forced_in_engines(gru: Path) -> None:
    """The same answer as in one process, and computed again each time."""
    found = []
    for engines in (0, 1):
        settings = embedded(engines=engines, model_repository=gru, execution="whole")
        with Serving(settings) as server:
            answered = [server.explanations.Explain(asked()).explanation for _ in range(2)]
            assert not any(each.cost.cached for each in answered)
            for each in answered:
                each.name = ""  # random, because the answer may not be reused
            found.append(without_times(answered[0]))
    assert found[0] == found[1]


def test_sequences_are_kept_as_the_operator_says(gru: Path, engined: Serving) -> None:
    """By engines as by the server itself: usually they are."""

    def kept(server: Serving) -> bool:
        name = server.explanations.Explain(asked()).explanation.name
        return server.explanations.GetExplanation(pb.GetExplanationRequest(name=name)).HasField("sequence")

    assert kept(engined)
    with Serving(embedded(engines=1, model_repository=gru, keep_sequences=False)) as server:
        assert not kept(server)
