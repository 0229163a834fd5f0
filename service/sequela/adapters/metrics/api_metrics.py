"""Metrics of the api: gRPC calls, HTTP requests and executors."""

from __future__ import annotations

import functools

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sequela.adapters.metrics.buckets import SECONDS
from sequela.explain.telemetry import (
    Call,
    CallHandled,
    CallStarted,
    ExecutorState,
    HttpHandled,
    MessageReceived,
    MessageSent,
    Record,
    RequestBegun,
    RequestRejected,
    StreamItemHandled,
)
from sequela.spans import exemplar


class CallMetrics:
    """Counts gRPC calls. The names are those of the usual gRPC middleware, so existing dashboards work."""

    takes = (CallStarted, CallHandled, MessageReceived, MessageSent, StreamItemHandled)

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("grpc_type", "grpc_service", "grpc_method")
        self._started = functools.cache(
            Counter(
                "grpc_server_started",
                "gRPC calls that began. Compare it with grpc_server_handled_total: the difference is running.",
                labels,
                registry=registry,
            ).labels
        )
        self._handled = functools.cache(
            Counter(
                "grpc_server_handled",
                "gRPC calls that ended, by status code. INTERNAL, UNKNOWN and DATA_LOSS are errors of the server; "
                "UNAVAILABLE, RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED say that it could not serve in time.",
                (*labels, "grpc_code"),
                registry=registry,
            ).labels
        )
        self._seconds = functools.cache(
            Histogram(
                "grpc_server_handling_seconds",
                "Seconds from the beginning to the end of a gRPC call, its wait for a thread included. If it grows and "
                "sequela_stage_duration_seconds does not, requests wait: add replicas or cores.",
                labels,
                buckets=SECONDS,
                registry=registry,
            ).labels
        )
        self._received = functools.cache(
            Counter(
                "grpc_server_msg_received",
                "Messages received. For streams it counts the sequences that were sent.",
                labels,
                registry=registry,
            ).labels
        )
        self._sent = functools.cache(
            Counter(
                "grpc_server_msg_sent",
                "Messages sent. For streams it counts the answers.",
                labels,
                registry=registry,
            ).labels
        )

        self._items = functools.cache(
            Counter(
                "sequela_stream_items",
                "Items of ExplainStream calls that were answered, by status code. A call whose items all fail ends "
                "with OK, so watch these, too.",
                ("grpc_code",),
                registry=registry,
            ).labels
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case CallStarted(call):
                self._started(*_call_labels(call)).inc()
            case CallHandled(call, code, seconds):
                self._handled(*_call_labels(call), code).inc()
                self._seconds(*_call_labels(call)).observe(seconds, exemplar())
            case MessageReceived(call):
                self._received(*_call_labels(call)).inc()
            case MessageSent(call):
                self._sent(*_call_labels(call)).inc()
            case StreamItemHandled(code):
                self._items(code).inc()


class HttpMetrics:
    """Counts inference requests over HTTP."""

    takes = (HttpHandled,)

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("route", "method")
        self._handled = Counter(
            "sequela_http_requests",
            "HTTP requests for inference that ended, by status code. 500 is an error of the server; 429, 503 and "
            "504 say that it could not serve in time.",
            (*labels, "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "sequela_http_request_seconds",
            "Seconds from an HTTP request to its answer, its wait for a thread included.",
            labels,
            buckets=SECONDS,
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case HttpHandled(route, method, code, seconds):
                self._handled.labels(route, method, str(code)).inc()
                self._seconds.labels(route, method).observe(seconds, exemplar())


class ExecutorMetrics:
    """Counts what runs and waits in each executor, and what was refused."""

    takes = (ExecutorState, RequestBegun, RequestRejected)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = functools.cache(
            Gauge(
                "sequela_queue_depth",
                "Requests that wait for a thread. If it stays above 0, the server is at its limit: add replicas or "
                "cores.",
                ("executor",),
                registry=registry,
            ).labels
        )
        self._running = functools.cache(
            Gauge(
                "sequela_inflight",
                "Requests that run in a thread. At the number of threads, further ones wait or are refused.",
                ("executor",),
                registry=registry,
            ).labels
        )
        self._wait = functools.cache(
            Histogram(
                "sequela_queue_wait_seconds",
                "Seconds that explanations waited before they began. If interactive ones wait for long, add cores.",
                ("queue",),
                buckets=SECONDS,
                registry=registry,
            ).labels
        )
        self._rejected = Counter(
            "sequela_requests_rejected",
            "Requests that were refused before they began, by reason. QUEUE_FULL and DEADLINE_SPENT_WAITING: add "
            "replicas. DEADLINE_TOO_SHORT: callers give too little time for the work. DRAINING: the server is about "
            "to stop.",
            ("where", "reason"),
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case ExecutorState(executor, waiting, running):
                self._waiting(executor).set(waiting)
                self._running(executor).set(running)
            case RequestBegun(queue, seconds):
                self._wait(queue).observe(seconds, exemplar())
            case RequestRejected(where, reason):
                self._rejected.labels(where, reason).inc()


def _call_labels(call: Call) -> tuple[str, str, str]:
    return call.kind, call.service, call.method
