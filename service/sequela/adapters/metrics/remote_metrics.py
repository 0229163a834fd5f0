"""Metrics of what the service depends on: the shared store and endpoints."""

from __future__ import annotations

import functools

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sequela.adapters.metrics.buckets import SECONDS, STORE_SECONDS
from sequela.explain.telemetry import (
    CacheLookup,
    CircuitState,
    EndpointCalled,
    EndpointWindow,
    EntrySkipped,
    ExplanationNotKept,
    ExplanationsOwed,
    ExplanationsRemovedEarly,
    Record,
    StoreState,
)


class StoreMetrics:
    """Counts cache look-ups, and shows whether the store is up."""

    takes = (
        CacheLookup,
        StoreState,
        EntrySkipped,
        ExplanationNotKept,
        ExplanationsOwed,
        ExplanationsRemovedEarly,
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lookups = functools.cache(
            Counter(
                "sequela_cache_requests",
                "Cache look-ups, by result: hit, miss or error.",
                ("cache", "result"),
                registry=registry,
            ).labels
        )
        self._seconds = functools.cache(
            Histogram(
                "sequela_cache_operation_seconds",
                "Seconds of a cache look-up.",
                ("cache",),
                buckets=STORE_SECONDS,
                registry=registry,
            ).labels
        )
        self._up = Gauge(
            "sequela_store_up",
            "1 while the store answers, 0 while it does not.",
            registry=registry,
        )
        self._skipped = Counter(
            "sequela_store_skipped",
            "Stored entries that readers skipped: foreign, damaged, or of an unknown version.",
            ("reason",),
            registry=registry,
        )
        self._not_kept = Counter(
            "sequela_store_not_kept",
            "Explanations that were answered but not stored, because the store failed.",
            registry=registry,
        )
        self._removed_early = Counter(
            "sequela_store_removed_early",
            "Explanations that were removed before they expired, because the store was full.",
            registry=registry,
        )
        self._owed = Gauge(
            "sequela_store_owed",
            "Explanations that wait in the outbox until Redis is back.",
            registry=registry,
        )
        self._dropped = Counter(
            "sequela_store_owed_dropped",
            "Explanations that were dropped from the outbox because it was full.",
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case ExplanationsOwed(count, dropped):
                self._owed.set(count)
                self._dropped.inc(dropped)
            case ExplanationsRemovedEarly(count):
                self._removed_early.inc(count)
            case CacheLookup(cache, result, seconds):
                self._lookups(cache, result).inc()
                self._seconds(cache).observe(seconds)
            case ExplanationNotKept():
                self._not_kept.inc()
            case EntrySkipped(reason):
                self._skipped.labels(reason).inc()
            case StoreState(up):
                self._up.set(up)


class EndpointMetrics:
    """Counts calls to endpoints. The label `endpoint` is the operator's name for it, or `request`."""

    takes = (EndpointCalled, EndpointWindow, CircuitState)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "sequela_endpoint_calls",
            "Calls to endpoints, by outcome: ok or the reason of an error.",
            ("endpoint", "outcome"),
            registry=registry,
        )
        self._rows = Counter(
            "sequela_endpoint_rows", "Rows sent to endpoints.", ("endpoint",), registry=registry
        )
        self._seconds = Histogram(
            "sequela_endpoint_call_seconds",
            "Seconds of one call.",
            ("endpoint",),
            buckets=SECONDS,
            registry=registry,
        )
        self._window = Gauge(
            "sequela_endpoint_window",
            "Calls that may run at a time.",
            ("endpoint",),
            registry=registry,
        )
        self._circuit = Gauge(
            "sequela_circuit_state",
            "1 while the circuit breaker of a target is open, 0 while it is closed.",
            ("target",),
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case EndpointCalled(endpoint, rows, seconds, outcome):
                self._calls.labels(endpoint, outcome).inc()
                self._rows.labels(endpoint).inc(rows)
                self._seconds.labels(endpoint).observe(seconds)
            case EndpointWindow(endpoint, calls):
                self._window.labels(endpoint).set(calls)
            case CircuitState(target, closed):
                self._circuit.labels(target).set(not closed)
