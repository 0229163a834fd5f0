"""Prometheus metrics of everything observed, under the names that the field uses.

Labels are bounded: they hold no ids, and of models only the names of those that the operator has set up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sequela.concurrency.worker_pool import WorkerPool
from sequela.explain.ports import ModelState
from sequela.explain.result.explanation import METHOD_VERSION, Explanation, LevelExplanation
from sequela.explain.telemetry import (
    BatchEvaluated,
    CacheAsked,
    Call,
    CallHandled,
    CallStarted,
    CircuitState,
    EndpointCalled,
    EndpointWindow,
    ExecutorState,
    ExplanationFinished,
    HttpHandled,
    MessageReceived,
    MessageSent,
    Record,
    RequestRejected,
    StageDone,
    StoreState,
)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STORE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
EVENTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
RESIDUALS = (1e-15, 1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
ERRORS = (0.0, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)


class PrometheusObserver:
    """Turns records into samples of a registry of its own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        Info("sequela_build", "Version of the server and of the method.", registry=self.registry).info(
            {"version": version, "method_version": METHOD_VERSION}
        )
        self._families = (
            _Calls(self.registry),
            _Requests(self.registry),
            _Executors(self.registry),
            _Explanations(self.registry),
            _Models(self.registry),
            _Stores(self.registry),
            _Endpoints(self.registry),
        )

    def watch(self, pool: WorkerPool) -> None:
        """Shows what the workers do whenever the metrics are read."""
        size = Gauge("sequela_pool_workers", "Workers that run models.", registry=self.registry)
        busy = Gauge("sequela_pool_busy", "Workers that run a batch now.", registry=self.registry)
        waiting = Gauge(
            "sequela_pool_waiting", "Requests with batches that wait for a turn.", registry=self.registry
        )
        size.set(pool.workers)
        busy.set_function(lambda: pool.busy)
        waiting.set_function(lambda: pool.waiting)

    def watch_models(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Shows whenever the metrics are read how the operator's models (`m/v`) stand."""
        self.registry.register(_ModelStates(states))

    def notice(self, record: Record) -> None:
        """Takes one record."""
        for family in self._families:
            if isinstance(record, family.takes):
                family.notice(record)


class _Calls:
    """gRPC calls, by the names of the common gRPC middleware."""

    takes = (CallStarted, CallHandled, MessageReceived, MessageSent)

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("grpc_type", "grpc_service", "grpc_method")
        self._started = Counter("grpc_server_started", "Calls that came in.", labels, registry=registry)
        self._handled = Counter(
            "grpc_server_handled", "Calls that ended, by code.", (*labels, "grpc_code"), registry=registry
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time from call to end.",
            labels,
            buckets=SECONDS,
            registry=registry,
        )
        self._received = Counter("grpc_server_msg_received", "Messages in.", labels, registry=registry)
        self._sent = Counter("grpc_server_msg_sent", "Messages out.", labels, registry=registry)

    def notice(self, record: Record) -> None:
        match record:
            case CallStarted(call):
                self._started.labels(*_labels(call)).inc()
            case CallHandled(call, code, seconds):
                self._handled.labels(*_labels(call), code).inc()
                self._seconds.labels(*_labels(call)).observe(seconds)
            case MessageReceived(call):
                self._received.labels(*_labels(call)).inc()
            case MessageSent(call):
                self._sent.labels(*_labels(call)).inc()


class _Requests:
    """Inference requests over HTTP."""

    takes = (HttpHandled,)

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("route", "method")
        self._handled = Counter(
            "sequela_http_requests", "Requests that ended, by code.", (*labels, "code"), registry=registry
        )
        self._seconds = Histogram(
            "sequela_http_request_seconds",
            "Time from request to answer.",
            labels,
            buckets=SECONDS,
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        match record:
            case HttpHandled(route, method, code, seconds):
                self._handled.labels(route, method, str(code)).inc()
                self._seconds.labels(route, method).observe(seconds)


class _Executors:
    """Admission: how much runs and waits, and what was turned away."""

    takes = (ExecutorState, RequestRejected)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge(
            "sequela_queue_depth", "Work waiting for a thread.", ("executor",), registry=registry
        )
        self._running = Gauge(
            "sequela_inflight", "Work running in threads.", ("executor",), registry=registry
        )
        self._rejected = Counter(
            "sequela_admission_rejected",
            "Work refused before it began.",
            ("executor", "reason"),
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        match record:
            case ExecutorState(executor, waiting, running):
                self._waiting.labels(executor).set(waiting)
                self._running.labels(executor).set(running)
            case RequestRejected(executor, reason):
                self._rejected.labels(executor, reason).inc()


class _Explanations:
    """What came out of explaining, how long it took, and how sure it is."""

    takes = (StageDone, ExplanationFinished)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "sequela_explanations", "Explanations, by outcome.", ("outcome",), registry=registry
        )
        self._seconds = Histogram(
            "sequela_explain_duration_seconds",
            "Time of an explanation (level all) and of its levels.",
            ("level",),
            buckets=SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "sequela_stage_duration_seconds",
            "Time of a stage.",
            ("stage",),
            buckets=SECONDS,
            registry=registry,
        )
        self._pruned = Histogram("sequela_pruned_events", "Events pruned.", buckets=EVENTS, registry=registry)
        self._residual = Histogram(
            "sequela_additivity_residual",
            "Largest |sum of attributions - (score - base value)| of a level.",
            ("level",),
            buckets=RESIDUALS,
            registry=registry,
        )
        self._error = Histogram(
            "sequela_standard_error",
            "Largest standard error of a level.",
            ("level",),
            buckets=ERRORS,
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        match record:
            case StageDone(stage, seconds):
                self._stages.labels(stage).observe(seconds)
            case ExplanationFinished(outcome, seconds, explanation):
                self._outcomes.labels(outcome).inc()
                self._seconds.labels("all").observe(seconds)
                # An answer from the store was counted when it was made.
                if explanation and not explanation.cost.cached:
                    self._made(explanation)

    def _made(self, explanation: Explanation) -> None:
        if explanation.pruning:
            self._pruned.observe(explanation.pruning.pruned_events)
        for name, level in _levels(explanation):
            self._seconds.labels(name).observe(level.quality.seconds)
            self._residual.labels(name).observe(level.quality.additivity_residual)
            self._error.labels(name).observe(level.quality.largest_standard_error)


class _Models:
    """What models were asked."""

    takes = (BatchEvaluated,)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter("sequela_model_calls", "Calls of models.", registry=registry)
        self._rows = Counter(
            "sequela_model_rows", "Rows given to models: sequences, or parts of them.", registry=registry
        )
        self._batch = Histogram(
            "sequela_model_batch_rows", "Sequences in a call.", buckets=ROWS, registry=registry
        )
        self._seconds = Histogram(
            "sequela_model_call_seconds", "Time of a call.", buckets=SECONDS, registry=registry
        )

    def notice(self, record: Record) -> None:
        match record:
            case BatchEvaluated(rows, seconds):
                self._calls.inc()
                self._rows.inc(rows)
                self._batch.observe(rows)
                self._seconds.observe(seconds)


class _Stores:
    """Caches and the shared store."""

    takes = (CacheAsked, StoreState)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._asked = Counter(
            "sequela_cache_requests", "Cache look-ups, by result.", ("cache", "result"), registry=registry
        )
        self._seconds = Histogram(
            "sequela_cache_operation_seconds",
            "Time of a cache look-up.",
            ("cache",),
            buckets=STORE_SECONDS,
            registry=registry,
        )
        self._up = Gauge(
            "sequela_redis_up",
            "1 while Redis answers, 0 while it is down or not configured.",
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        match record:
            case CacheAsked(cache, result, seconds):
                self._asked.labels(cache, result).inc()
                self._seconds.labels(cache).observe(seconds)
            case StoreState(up):
                self._up.set(up)


class _Endpoints:
    """Servers that run models for us. `endpoint` is the operator's name for it, or `request`."""

    takes = (EndpointCalled, EndpointWindow, CircuitState)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "sequela_endpoint_calls",
            "Calls to endpoints, by outcome: ok or a reason.",
            ("endpoint", "outcome"),
            registry=registry,
        )
        self._rows = Counter(
            "sequela_endpoint_rows", "Rows sent to endpoints.", ("endpoint",), registry=registry
        )
        self._seconds = Histogram(
            "sequela_endpoint_call_seconds",
            "Time of a call.",
            ("endpoint",),
            buckets=SECONDS,
            registry=registry,
        )
        self._window = Gauge(
            "sequela_endpoint_window",
            "Calls that may be under way at a time.",
            ("endpoint",),
            registry=registry,
        )
        self._circuit = Gauge(
            "sequela_circuit_state",
            "1 while the circuit breaker before a target is open, 0 while it is closed.",
            ("target",),
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        match record:
            case EndpointCalled(endpoint, rows, seconds, outcome):
                self._calls.labels(endpoint, outcome).inc()
                self._rows.labels(endpoint).inc(rows)
                self._seconds.labels(endpoint).observe(seconds)
            case EndpointWindow(endpoint, calls):
                self._window.labels(endpoint).set(calls)
            case CircuitState(target, closed):
                self._circuit.labels(target).set(not closed)


class _ModelStates(Collector):
    """1 for the state that each of the operator's models is in, 0 for the others."""

    def __init__(self, states: Callable[[], Mapping[str, str]]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        """Read when the metrics are."""
        family = GaugeMetricFamily(
            "sequela_model_state",
            "1 for the state that a model of the operator's is in.",
            labels=("model", "state"),
        )
        for model, state in self._states().items():
            for each in ModelState:
                family.add_metric((model, each.value), each.value == state)
        yield family


def _labels(call: Call) -> tuple[str, str, str]:
    return call.kind, call.service, call.method


def _levels(explanation: Explanation) -> list[tuple[str, LevelExplanation]]:
    levels = {
        "event": explanation.event_level,
        "feature": explanation.feature_level,
        "cell": explanation.cell_level,
    }
    return [(name, level) for name, level in levels.items() if level and level.attributions]
