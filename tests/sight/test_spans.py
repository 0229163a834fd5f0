"""Spans reach a collector as parts of the caller's trace: of the request, the engine, an endpoint and the store."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from api.rpc_calls import COLUMNS, explain_request, sequence
from endpoint_folders import schema_of, write_endpoint
from inference_server import InferenceServer, ServedModel
from matrix import BY_NAME, ROOT
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from sequela.adapters.span_export import FLUSH_SECONDS
from sequela.bootstrap import build
from sequela.errors import Unsupported
from sequela.spans import SpanContext
from sequela_client import Sequela
from sequela_proto.v1 import sequela_pb2 as pb
from serving import Serving, embedded
from sight.otlp_collector import Collector, Received
from waiting import PATIENCE, eventually

SERVER_KIND, CLIENT_KIND = 2, 3
STAGES = {"resolve", "score", "prune", "event", "feature", "cell"}
PARENT_ID = "00f067aa0ba902b7"
EXPLAIN = "sequela.v1.ExplanationService/Explain"
_SERVED = BY_NAME["gru"]


def parent(number: int, flags: str = "01") -> tuple[str, str]:
    """Returns a trace id, and the header that names it."""
    trace_id = f"{number:032x}"
    return trace_id, f"00-{trace_id}-{PARENT_ID}-{flags}"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def endpoint() -> Iterator[InferenceServer]:
    with InferenceServer({"gru": ServedModel(_SERVED.path.read_bytes())}) as running:
        yield running


@pytest.fixture(scope="module")
def server(
    collector: Collector, endpoint: InferenceServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A server with one engine and one endpoint that exports spans, as a caller decides."""
    repository = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "gru", repository / "gru")
    write_endpoint(repository, "remote", endpoint.uri("gru"), schema_of(_SERVED))
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        with Serving(embedded(engines=1, model_repository=repository, export_spans=True)) as running:
            with Sequela(running.bound.grpc) as client:
                client.create_background("zeros", [0.0] * COLUMNS, model="gru")
            yield running


def explained(server: Serving, model: str, traceparent: str, seed: int = 0, **more: Any) -> pb.Explanation:
    request = explain_request(model=pb.ModelReference(name=model), sequence=sequence(seed), **more)
    metadata = (("traceparent", traceparent), ("tracestate", "vendor=1"))
    return server.explanations.Explain(request, metadata=metadata, timeout=PATIENCE).explanation


def spans_of(collector: Collector, trace_id: str, root: str = EXPLAIN) -> dict[str, list[Received]]:
    """Returns the spans of a trace by name, once the request's own has arrived, which is sent last."""
    eventually(lambda: any(each.name == root for each in collector.of(trace_id)), PATIENCE)
    found: dict[str, list[Received]] = {}
    for each in collector.of(trace_id):
        found.setdefault(each.name, []).append(each)
    return found


def test_a_trace_through_an_engine(server: Serving, collector: Collector) -> None:
    """The caller's span leads to the request, it to the engine, and the engine to its stages; the store is called."""
    trace_id, header = parent(1)
    answer = explained(server, "gru", header)
    found = spans_of(collector, trace_id)
    [request], [engine], [add] = found[EXPLAIN], found["engine"], found["store add"]
    [wait] = found["wait"]
    assert (wait.parent_id, wait.attributes) == (request.span_id, {"sequela.executor": "explain"})
    assert (request.parent_id, request.kind) == (PARENT_ID, SERVER_KIND)
    assert (engine.parent_id, engine.kind) == (request.span_id, CLIENT_KIND)
    assert found.keys() >= STAGES
    for stage in STAGES:
        assert [each.parent_id for each in found[stage]] == [engine.span_id], stage
        # They were measured in the engine, within the call of it.
        assert engine.start - 0.01 <= found[stage][0].start <= engine.start + engine.seconds
    assert add.attributes["db.system.name"] == "memory"
    assert request.attributes["sequela.explanation"] == answer.name
    assert request.attributes["rpc.response.status_code"] == "OK"
    assert request.resource["service.name"] == "sequela"
    # Nothing is recorded of single batches.
    assert sum(map(len, found.values())) < 20


def test_a_trace_through_an_endpoint(
    server: Serving, collector: Collector, endpoint: InferenceServer
) -> None:
    """Calls of an endpoint are parts of the stage that makes them, and bring the trace to the endpoint."""
    trace_id, header = parent(2)
    explained(server, "remote", header, options=pb.ExplainOptions(max_coalitions=64))
    found = spans_of(collector, trace_id)
    stages = {each.span_id for stage in STAGES for each in found[stage]}
    calls = found["endpoint call"]
    assert calls
    assert {each.parent_id for each in calls} <= stages
    assert {each.attributes["sequela.endpoint"] for each in calls} == {"remote/1"}
    received = [each.metadata for each in endpoint.calls if trace_id in each.metadata.get("traceparent", "")]
    assert {f"00-{trace_id}-{each.span_id}-01" for each in calls} <= {
        each["traceparent"] for each in received
    }
    assert {each["tracestate"] for each in received} == {"vendor=1"}


def test_an_error_is_in_its_span(server: Serving, collector: Collector) -> None:
    """A request that fails has the reason of its error."""
    trace_id, header = parent(3)
    with pytest.raises(grpc.RpcError):
        explained(server, "missing", header)
    [request] = spans_of(collector, trace_id)[EXPLAIN]
    assert request.attributes["error.type"] == "MODEL_NOT_FOUND"
    assert request.attributes["rpc.response.status_code"] == "NOT_FOUND"


def test_a_trace_over_http(server: Serving, collector: Collector) -> None:
    """The HTTP header does the same as gRPC's metadata."""
    trace_id, header = parent(4)
    body = {"instances": [[[0.5] * COLUMNS] * 6], "parameters": {"background": "zeros"}}
    url = f"http://{server.bound.http}/v1/models/gru:explain"
    answer = httpx.post(url, json=body, headers={"traceparent": header}, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    root = "POST /v1/models/{name}:explain"
    found = spans_of(collector, trace_id, root)
    assert found[root][0].attributes["http.response.status_code"] == 200
    assert found["engine"][0].parent_id == found[root][0].span_id


def test_items_of_a_stream(server: Serving, collector: Collector) -> None:
    """Each item of a stream has a span of its own."""
    trace_id, header = parent(5)
    requests = [
        pb.ExplainStreamRequest(
            request=explain_request(model=pb.ModelReference(name="gru"), sequence=sequence(n))
        )
        for n in (10, 11)
    ]
    answers = server.explanations.ExplainStream(
        iter(requests), metadata=(("traceparent", header),), timeout=PATIENCE
    )
    assert all(each.explanation.name for each in answers)
    found = spans_of(collector, trace_id, "sequela.v1.ExplanationService/ExplainStream")
    items = found["explain item"]
    assert {each.attributes["sequela.index"] for each in items} == {0, 1}
    assert {each.parent_id for each in found["engine"]} == {each.span_id for each in items}


def test_the_caller_decides_what_is_sampled(
    server: Serving, collector: Collector, endpoint: InferenceServer
) -> None:
    """A request that its caller does not sample is not exported, but the endpoint gets the caller's context."""
    trace_id, header = parent(6, "00")
    few = pb.ExplainOptions(levels=[pb.LEVEL_EVENT])
    explained(server, "gru", header, seed=6, options=few)
    explained(server, "remote", header, seed=6, options=few)
    assert header in {each.metadata.get("traceparent") for each in endpoint.calls}
    later, other = parent(7)
    explained(server, "gru", other, seed=7)
    spans_of(collector, later)
    assert not collector.of(trace_id)


def test_a_model_of_a_caller_is_loaded(server: Serving, collector: Collector) -> None:
    """Its loading is a span, and so is each stage; single calls of the model are none."""
    trace_id, header = parent(10)
    request = explain_request(sequence=sequence(77))
    server.explanations.Explain(request, metadata=(("traceparent", header),), timeout=PATIENCE)
    found = spans_of(collector, trace_id)
    assert found["model load"][0].kind == CLIENT_KIND
    assert found.keys() >= STAGES
    assert sum(map(len, found.values())) < 20


def test_metrics_lead_to_traces(server: Serving) -> None:
    """Histograms of latency have exemplars with the trace id, in the OpenMetrics format."""
    trace_id, header = parent(8)
    explained(server, "gru", header, seed=8)
    text = httpx.get(
        f"http://{server.bound.http}/metrics",
        headers={"accept": "application/openmetrics-text"},
        timeout=PATIENCE,
    ).text
    for name in ("grpc_server_handling_seconds", "sequela_explain_duration_seconds"):
        lines = [each for each in text.splitlines() if each.startswith(f"{name}_bucket")]
        assert any(f'# {{trace_id="{trace_id}"}}' in each for each in lines), name
    plain = httpx.get(f"http://{server.bound.http}/metrics", timeout=PATIENCE).text
    assert "trace_id" not in plain


def test_the_client_passes_its_trace_on(server: Serving, collector: Collector) -> None:
    """A client in a program that traces makes the request a part of the current span."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with Sequela(server.bound.grpc) as client, tracer.start_as_current_span("alert") as span:
        client.explain([[0.1] * COLUMNS] * 6, model="gru", background=[0.0] * COLUMNS)
        context = span.get_span_context()
    [request] = spans_of(collector, trace.format_trace_id(context.trace_id))[EXPLAIN]
    assert request.parent_id == trace.format_span_id(context.span_id)


def test_nothing_is_exported_unless_it_is_set(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables alone turn nothing on."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    trace_id, header = parent(9)
    with Serving(embedded()) as running:
        running.explanations.Explain(explain_request(), metadata=(("traceparent", header),), timeout=PATIENCE)
    time.sleep(0.2)
    assert not collector.of(trace_id)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{1:032x}-{PARENT_ID}-01",
        f"00-{0:032x}-{PARENT_ID}-01",
        f"00-{1:032x}-{0:016x}-01",
        f"00-{1:032x}-{PARENT_ID}-01-more",
        f"00-{1:032X}A-{PARENT_ID}-01",
        "00-\ud800",
    ],
)
def test_headers_that_name_no_span(header: str) -> None:
    """The caller is then taken for one that does not trace."""
    assert SpanContext.of_headers({"traceparent": header}) is None


def test_headers_of_later_versions() -> None:
    """They may have more fields. Unusable states of other tracers are left out."""
    found = SpanContext.of_headers(
        {"traceparent": f"01-{1:032x}-{PARENT_ID}-03-more", "tracestate": "a=\u00e9"}
    )
    assert found == SpanContext(f"{1:032x}", PARENT_ID, True, "")


@pytest.mark.slow
def test_a_collector_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are answered, and the server's end does not wait for it for long."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    with Serving(embedded(export_spans=True)) as running:
        answer = running.explanations.Explain(explain_request(), timeout=PATIENCE)
        assert answer.explanation.explained
        start = time.monotonic()
        running.drain()
    assert time.monotonic() - start < FLUSH_SECONDS + 5


@pytest.mark.slow
def test_nothing_of_it_is_imported_when_it_is_off() -> None:
    """Neither by the server nor by the client."""
    code = "import sys, sequela.main, sequela_client; sys.exit('opentelemetry.trace' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not start, and says what to install."""
    monkeypatch.setitem(sys.modules, "sequela.adapters.span_export", None)
    with pytest.raises(Unsupported, match=r"--export-spans needs OpenTelemetry: run pip install"):
        build(embedded(export_spans=True))
