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
from sequela.spans import exemplar


class StoreMetrics:
    """Counts cache look-ups, and shows whether the store is up. `kind` is what the store is: memory, file or redis."""

    takes = (
        CacheLookup,
        StoreState,
        EntrySkipped,
        ExplanationNotKept,
        ExplanationsOwed,
        ExplanationsRemovedEarly,
    )

    def __init__(self, registry: CollectorRegistry, kind: str) -> None:
        self._kind = kind
        self._lookups = functools.cache(
            Counter(
                "sequela_cache_requests",
                "Cache look-ups, by result: hit, miss or error. Errors say that the store does not answer. Many hits "
                "of answer mean that callers repeat their requests.",
                ("cache", "result"),
                registry=registry,
            ).labels
        )
        self._seconds = functools.cache(
            Histogram(
                "sequela_cache_operation_seconds",
                "Seconds of a cache look-up. Above some milliseconds, check Redis and the network, or the disk of the "
                "file.",
                ("cache",),
                buckets=STORE_SECONDS,
                registry=registry,
            ).labels
        )
        self._up = Gauge(
            "sequela_store_up",
            "1 while the store answers, 0 while it does not: check the file or Redis. Explanations continue "
            "meanwhile. Without a series, nothing is known yet. The label says what --store is: memory, file or redis.",
            ("store",),
            registry=registry,
        )
        self._skipped = Counter(
            "sequela_store_skipped",
            "Stored entries that readers skipped. foreign: another program writes to the same Redis, so give Sequela "
            "one of its own. damaged: check the disk. version: a newer release wrote it.",
            ("reason",),
            registry=registry,
        )
        self._not_kept = Counter(
            "sequela_store_not_kept",
            "Explanations that were answered but not stored, because the store failed. They cannot be read again: "
            "check the store and the disk of the outbox.",
            registry=registry,
        )
        self._removed_early = Counter(
            "sequela_store_removed_early",
            "Explanations that were removed before they expired, because the store was full: raise --store-bytes, "
            "or lower --explanation-ttl.",
            registry=registry,
        )
        self._owed = Gauge(
            "sequela_store_owed",
            "Explanations that wait in the outbox until Redis takes them. It falls to 0 when Redis is back. Without "
            "Redis there is no series.",
            ("store",),
            registry=registry,
        )
        self._dropped = Counter(
            "sequela_store_owed_dropped",
            "Explanations that were dropped from the outbox because it was full: they are lost. Repair Redis, or "
            "raise --owed-bytes.",
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case ExplanationsOwed(count, dropped):
                self._owed.labels(self._kind).set(count)
                self._dropped.inc(dropped)
            case ExplanationsRemovedEarly(count):
                self._removed_early.inc(count)
            case CacheLookup(cache, result, seconds):
                self._lookups(cache, result).inc()
                self._seconds(cache).observe(seconds, exemplar())
            case ExplanationNotKept():
                self._not_kept.inc()
            case EntrySkipped(reason):
                self._skipped.labels(reason).inc()
            case StoreState(up):
                self._up.labels(self._kind).set(up)


class EndpointMetrics:
    """Counts calls to endpoints. The label `endpoint` is the operator's name for it, or `request`."""

    takes = (EndpointCalled, EndpointWindow, CircuitState)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "sequela_endpoint_calls",
            "Calls to endpoints, by outcome: ok or the reason of an error. ENDPOINT_UNAVAILABLE: check the server of "
            "the model. ENDPOINT_OVERLOADED: give it more capacity. An endpoint without calls has no series.",
            ("endpoint", "outcome"),
            registry=registry,
        )
        self._rows = Counter(
            "sequela_endpoint_rows",
            "Rows sent to endpoints. It is the load that explanations put on the server of the model.",
            ("endpoint",),
            registry=registry,
        )
        self._seconds = Histogram(
            "sequela_endpoint_call_seconds",
            "Seconds of one call. If it grows, the server of the model or the network became slower.",
            ("endpoint",),
            buckets=SECONDS,
            registry=registry,
        )
        self._window = Gauge(
            "sequela_endpoint_window",
            "Calls that may run at a time. It shrinks when calls fail or become slow: check the server of the model.",
            ("endpoint",),
            registry=registry,
        )
        self._circuit = Gauge(
            "sequela_circuit_state",
            "1 while the circuit breaker of a target is open: it does not answer, and calls fail at once. 0 while "
            "it is closed. An endpoint that never failed may have no series, which is not the same as down.",
            ("target",),
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case EndpointCalled(endpoint, rows, seconds, outcome):
                self._calls.labels(endpoint, outcome).inc()
                self._rows.labels(endpoint).inc(rows)
                self._seconds.labels(endpoint).observe(seconds, exemplar())
            case EndpointWindow(endpoint, calls):
                self._window.labels(endpoint).set(calls)
            case CircuitState(target, closed):
                self._circuit.labels(target).set(not closed)
