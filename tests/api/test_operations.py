"""What operators see: health, reflection, pages, metrics, request ids, and the way a server leaves."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
import structlog
from api.made import Gate, LoadingStates, Scripted
from api.rpc_calls import EVENTS, explain_request, register, sequence
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from sequela.adapters.store.shared_store import SharedStoreOptions
from sequela.settings import Settings
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Failure, Serving, embedded, in_process
from waiting import PATIENCE, eventually

SERVICES = [f"sequela.v1.{name}Service" for name in ("Explanation", "Model", "Background")]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def page(server: Serving, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://{server.bound.http}{path}", headers=headers, timeout=PATIENCE, verify=False)


def sample(server: Serving, name: str, **labels: str) -> float | None:
    return server.wired.metrics.registry.get_sample_value(name, labels)


def captured() -> AbstractContextManager[list[Any]]:
    """What is logged, with the context of the call."""
    return structlog.testing.capture_logs([structlog.contextvars.merge_contextvars])


def watch(server: Serving) -> Iterator[int]:
    """The states that Watch tells, without an end of their own."""
    told: queue.Queue[int | None] = queue.Queue()

    def listen() -> None:
        try:
            for answer in health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest()):
                told.put(answer.status)
        except grpc.RpcError:
            told.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while (status := told.get(timeout=PATIENCE)) is not None:
        yield status


@pytest.mark.parametrize("name", ["", *SERVICES])
def test_health_of_each_service(server: Serving, name: str) -> None:
    """The server as a whole and each service by name are SERVING."""
    request = health_pb2.HealthCheckRequest(service=name)
    assert health_pb2_grpc.HealthStub(server.channel).Check(request).status == SERVING


def test_health_of_an_unknown_service(server: Serving) -> None:
    """NOT_FOUND, as the health protocol says."""
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(service="nope"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_of_all_services(server: Serving) -> None:
    """In one call, the same as one by one."""
    stub = health_pb2_grpc.HealthStub(server.channel)
    found = stub.List(health_pb2.HealthListRequest()).statuses
    assert {"", *SERVICES} <= set(found)
    for name, status in found.items():
        assert status == stub.Check(health_pb2.HealthCheckRequest(service=name))


def test_open_watches_are_bounded(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers may watch. One too many is refused, Check still answers, and an ended watch makes room."""
    monkeypatch.setattr("sequela.api.readiness.MAX_WATCHES", 2)
    stub, request = health_pb2_grpc.HealthStub(server.channel), health_pb2.HealthCheckRequest()
    watches = [stub.Watch(request, timeout=PATIENCE) for _ in range(2)]
    assert [next(each).status for each in watches] == [SERVING, SERVING]
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.Watch(request, timeout=PATIENCE))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "call Check instead" in caught.value.details()
    assert stub.Check(request).status == SERVING
    for each in watches:
        each.cancel()

    def watches_again() -> bool:
        again = stub.Watch(request, timeout=PATIENCE)
        try:
            return bool(next(again).status == SERVING)
        except grpc.RpcError:
            return False
        finally:
            again.cancel()

    eventually(watches_again)


def test_reflection_lists_services_and_describes_them(server: Serving) -> None:
    """All services are listed, and a message can be built from what reflection tells."""
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert {*SERVICES, "grpc.health.v1.Health"} <= set(database.get_services())
    found = DescriptorPool(database).FindMessageTypeByName("sequela.v1.ExplainRequest")
    assert [field.name for field in found.fields] == [
        field.name for field in pb.ExplainRequest.DESCRIPTOR.fields
    ]


def test_not_ready_until_the_models_are_loaded() -> None:
    """While a model loads, health says NOT_SERVING and /readyz 503; then both turn. /healthz is well throughout."""
    loading = LoadingStates()
    with Serving(wait=False, configured_states=loading) as server:
        states = watch(server)
        assert next(states) == NOT_SERVING
        assert page(server, "/readyz").status_code == 503
        assert "loading" in page(server, "/readyz").text
        assert page(server, "/healthz").status_code == 200
        loading.loaded.set()
        assert next(states) == SERVING
        assert page(server, "/readyz").status_code == 200


def test_ready_while_redis_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that nobody reaches takes no server out: ready, and explaining, with metrics that say so."""
    # The end waits for Redis only that long, in vain.
    impatient = partial(SharedStoreOptions, close_seconds=0.1)
    monkeypatch.setattr("sequela.adapters.store.shared_store.SharedStoreOptions", impatient)
    settings = in_process(store="redis://127.0.0.1:1")
    with Serving(settings) as server:
        assert server.explanations.Explain(explain_request()).explanation.explained
        assert page(server, "/readyz").status_code == 200
        assert sample(server, "sequela_store_up", store="redis") == 0


def test_a_drain_finishes_what_is_in_flight() -> None:
    """NOT_SERVING first; the call at work is answered, new work is refused, watchers are let go."""
    gate = Gate()
    with Serving(embedded(drain_delay=0.5, drain_grace=PATIENCE), explainer=gate) as server:
        states = watch(server)
        assert next(states) == SERVING
        call = server.explanations.Explain.future(explain_request())
        items: queue.Queue[pb.ExplainStreamRequest] = queue.Queue()
        stream = server.explanations.ExplainStream(iter(items.get, None))
        items.put(pb.ExplainStreamRequest(request=explain_request()))
        assert gate.begun.acquire(timeout=PATIENCE)
        assert gate.begun.acquire(timeout=PATIENCE)
        draining = threading.Thread(target=server.drain)
        draining.start()
        assert next(states) == NOT_SERVING
        assert page(server, "/readyz").text == "draining\n"
        assert next(states, None) is None
        items.put(pb.ExplainStreamRequest(request=explain_request()))  # comes too late
        items.put(None)  # type: ignore[arg-type]
        gate.open.set()
        assert call.result(PATIENCE).explanation.name
        first, second = stream
        assert first.explanation.name
        assert (second.error.code, second.error.reason) == (grpc.StatusCode.UNAVAILABLE.value[0], "DRAINING")
        draining.join(PATIENCE)
        assert not draining.is_alive()


def test_metrics_have_the_fields_names() -> None:
    """Names, labels and counts after one explanation, the same again, and one bad request."""
    with Serving(in_process(workers=2)) as server:
        register(server, "gru")
        server.explanations.Explain(explain_request())
        server.explanations.Explain(explain_request())
        with pytest.raises(grpc.RpcError):
            server.explanations.Explain(explain_request(sequence=pb.Sequence()))
        call = {"grpc_type": "unary", "grpc_service": SERVICES[0], "grpc_method": "Explain"}
        assert sample(server, "grpc_server_started_total", **call) == 3
        eventually(lambda: sample(server, "grpc_server_handling_seconds_count", **call) == 3)
        assert sample(server, "grpc_server_handled_total", **call, grpc_code="OK") == 2
        assert sample(server, "grpc_server_handled_total", **call, grpc_code="INVALID_ARGUMENT") == 1
        assert sample(server, "grpc_server_msg_received_total", **call) == 3
        assert sample(server, "grpc_server_msg_sent_total", **call) == 2
        assert sample(server, "sequela_explanations_total", outcome="ok") == 1
        assert sample(server, "sequela_explanations_total", outcome="cached") == 1
        assert sample(server, "sequela_explain_duration_seconds_count", level="cell") == 1
        assert sample(server, "sequela_additivity_residual_count", level="event") == 1
        assert sample(server, "sequela_standard_error_count", level="event") == 1
        assert sample(server, "sequela_pruned_events_count") == 1
        stages = {"decode": 2, "resolve": 2, "score": 1, "event": 1, "encode": 1, "store": 1}
        assert stages == {
            stage: sample(server, "sequela_stage_duration_seconds_count", stage=stage) for stage in stages
        }
        calls = sample(server, "sequela_model_calls_total")
        assert calls
        assert sample(server, "sequela_model_batch_rows_count") == calls
        assert sample(server, "sequela_model_rows_total") == sample(server, "sequela_model_batch_rows_sum")
        assert sample(server, "sequela_cache_requests_total", cache="answer", result="hit") == 1
        text = page(server, "/metrics").text
        for name in (
            "sequela_build_info{",
            "sequela_queue_depth{",
            "sequela_inflight{",
            "sequela_pool_workers 2.0",
            "sequela_pool_busy 0.0",
            "sequela_pool_waiting 0.0",
            "process_cpu_seconds",
        ):
            assert name in text


def test_items_of_streams_are_counted() -> None:
    """By status code, although the call itself ends with OK. An unexpected error is INTERNAL, which pages somebody."""

    def act(*_: object) -> None:
        raise RuntimeError("a bug")

    broken = pb.ExplainStreamRequest(request=explain_request())
    wrong = pb.ExplainStreamRequest(request=explain_request(sequence=pb.Sequence()))
    with Serving(explainer=Scripted(act)) as server:
        assert len(list(server.explanations.ExplainStream(iter([broken, wrong, broken])))) == 3
        assert sample(server, "sequela_stream_items_total", grpc_code="INTERNAL") == 2
        assert sample(server, "sequela_stream_items_total", grpc_code="INVALID_ARGUMENT") == 1
    with Serving(in_process()) as server:
        register(server, "gru")
        assert list(server.explanations.ExplainStream(iter([broken])))
        assert sample(server, "sequela_stream_items_total", grpc_code="OK") == 1


def test_metrics_come_in_the_format_asked_for(server: Serving) -> None:
    """OpenMetrics to who accepts it, the plain text format to everybody else."""
    plain = page(server, "/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    openmetrics = page(server, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


@pytest.mark.parametrize(("given", "kept"), [("alert-7", True), ("no spaces", False), ("x" * 129, False)])
def test_request_ids(server: Serving, given: str, kept: bool) -> None:
    """A sane id of the caller's comes back; any other is replaced by one of ours, of 32 hexadecimal digits."""
    _, call = server.models.ListModels.with_call(pb.ListModelsRequest(), metadata=(("x-request-id", given),))
    found = dict(call.trailing_metadata())["x-request-id"]
    assert found == given if kept else len(found) == 32


def test_an_unexpected_error_tells_only_its_id() -> None:
    """INTERNAL names the request's id, under which the log has the cause; the answer has nothing of it."""

    def act(*_: object) -> None:
        raise RuntimeError("secret")

    with (
        captured() as logged,
        Serving(explainer=Scripted(act)) as server,
        pytest.raises(grpc.RpcError) as caught,
    ):
        server.explanations.Explain(explain_request(), metadata=(("x-request-id", "alert-8"),))
    failed = Failure(caught.value)
    assert (failed.code, failed.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert failed.facts == {"request_id": "alert-8"}
    assert "secret" not in str(caught.value)
    line = next(line for line in logged if line["event"] == "unexpected error")
    assert line["request_id"] == "alert-8"
    assert "secret" in str(line["exc_info"])


@pytest.mark.parametrize(
    "settings",
    [in_process(), pytest.param(embedded(), marks=pytest.mark.slow)],
    ids=["in process", "in engines"],
)
def test_logs_hold_no_values_of_sequences(settings: Settings) -> None:
    """Every call has a line with its id, method and code; a value of the sequence is in none of them."""
    marked = sequence()
    marked.inputs[0].tensor.CopyFrom(pb.Tensor(shape=[EVENTS, 5], numbers=[1234.5678] * EVENTS * 5))
    method = f"{SERVICES[0]}/Explain"
    with captured() as logged, Serving(settings) as server:
        server.explanations.Explain(explain_request(sequence=marked))
        eventually(lambda: any(line.get("method") == method and "code" in line for line in logged))
    assert "1234.5678" not in str(logged)
    line = next(line for line in logged if line.get("method") == method and "code" in line)
    assert line["code"] == "OK"
    assert len(line["request_id"]) == 32
