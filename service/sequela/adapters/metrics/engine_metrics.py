"""Metrics of the processes that run models."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from sequela.explain.telemetry import EngineEnded, EngineStarted, Record


class EngineMetrics:
    """Counts the starts and the ends of engines."""

    takes = (EngineStarted, EngineEnded)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._starts = Counter(
            "sequela_engine_starts",
            "Engines that became ready. If it grows without a restart of the server, engines end: see "
            "sequela_engine_exits_total.",
            ("class",),
            registry=registry,
        )
        self._exits = Counter(
            "sequela_engine_exits",
            "Engines that ended, by reason. retired and closed are normal. crashed, out_of_memory, cpu_limit, "
            "overran, killed, invalid and start_failed cost a request its answer: the log line engine lost names the "
            "model.",
            ("class", "reason"),
            registry=registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case EngineStarted(trust):
                self._starts.labels(trust).inc()
            case EngineEnded(trust, reason):
                self._exits.labels(trust, reason).inc()
