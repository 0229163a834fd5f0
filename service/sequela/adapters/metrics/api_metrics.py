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
)


class CallMetrics:
    """Counts gRPC calls. The names are those of the usual gRPC middleware, so existing dashboards work."""

    takes = (CallStarted, CallHandled, MessageReceived, MessageSent)

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("grpc_type", "grpc_service", "grpc_method")
        self._started = functools.cache(
            Counter("grpc_server_started", "gRPC calls that began.", labels, registry=registry).labels
        )
        self._handled = functools.cache(
            Counter(
                "grpc_server_handled",
                "gRPC calls that ended, by status code.",
                (*labels, "grpc_code"),
                registry=registry,
            ).labels
        )
        self._seconds = functools.cache(
            Histogram(
                "grpc_server_handling_seconds",
                "Seconds from the beginning to the end of a gRPC call.",
                labels,
                buckets=SECONDS,
                registry=registry,
            ).labels
        )
        self._received = functools.cache(
            Counter("grpc_server_msg_received", "Messages received.", labels, registry=registry).labels
        )
        self._sent = functools.cache(
            Counter("grpc_server_msg_sent", "Messages sent.", labels, registry=registry).labels
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case CallStarted(call):
                self._started(*_call_labels(call)).inc()
            case CallHandled(call, code, seconds):
                self._handled(*_call_labels(call), code).inc()
                self._seconds(*_call_labels(call)).observe(seconds)
            case MessageReceived(call):
                self._received(*_call_labels(call)).inc()
            case MessageSent(call):
                self._sent(*_call_labels(call)).inc()


class HttpMetrics:
    """Counts inference requests over HTTP."""

    takes = (HttpHandled,)

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("route", "method")
        self._handled = Counter(
            "sequela_http_requests",
            "HTTP requests that ended, by status code.",
            (*labels, "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "sequela_http_request_seconds",
            "Seconds from an HTTP request to its answer.",
            labels,
            buckets=SECONDS,
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case HttpHandled(route, method, code, seconds):
                self._handled.labels(route, method, str(code)).inc()
                self._seconds.labels(route, method).observe(seconds)


class ExecutorMetrics:
    """Counts what runs and waits in each executor, and what was refused."""

    takes = (ExecutorState, RequestBegun, RequestRejected)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = functools.cache(
            Gauge(
                "sequela_queue_depth", "Requests that wait for a thread.", ("executor",), registry=registry
            ).labels
        )
        self._running = functools.cache(
            Gauge(
                "sequela_inflight", "Requests that run in a thread.", ("executor",), registry=registry
            ).labels
        )
        self._wait = Histogram(
            "sequela_queue_wait_seconds",
            "Seconds that explanations waited before they began. If interactive ones wait for long, add cores.",
            ("queue",),
            buckets=SECONDS,
            registry=registry,
        )
        self._rejected = Counter(
            "sequela_requests_rejected",
            "Requests that were refused before they began, by reason.",
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
                self._wait.labels(queue).observe(seconds)
            case RequestRejected(where, reason):
                self._rejected.labels(where, reason).inc()


def _call_labels(call: Call) -> tuple[str, str, str]:
    return call.kind, call.service, call.method
