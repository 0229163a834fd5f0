"""Prometheus metrics of everything that is observed.

The number of label values is limited: labels contain no ids, and only those model names that the operator has set up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Info, PlatformCollector, ProcessCollector

from sequela.adapters.metrics.access_metrics import AccessMetrics
from sequela.adapters.metrics.api_metrics import CallMetrics, ExecutorMetrics, HttpMetrics
from sequela.adapters.metrics.engine_metrics import EngineMetrics
from sequela.adapters.metrics.explain_metrics import ExplanationMetrics, ModelMetrics, ModelStateCollector
from sequela.adapters.metrics.remote_metrics import EndpointMetrics, StoreMetrics
from sequela.concurrency.worker_pool import WorkerPool
from sequela.explain.explanation import METHOD_VERSION
from sequela.explain.telemetry import Record


class PrometheusObserver:
    """Implements `Observer`: turns records into metrics, in a registry of its own.

    Args:
        version: The version of the server.
        store: What the store is: memory, file or redis.
    """

    def __init__(self, version: str, store: str = "memory") -> None:
        # Not the global registry, so that several servers can exist in one process, as in tests.
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        Info(
            "sequela_build",
            "Version of the server and of the method. Several versions at a time are normal only during an upgrade.",
            registry=self.registry,
        ).info({"version": version, "method_version": METHOD_VERSION})
        self._engines_up = Gauge(
            "sequela_engines_up",
            "Engines that can take work. 0: no such model can be run, and the log says why. Without engines "
            "(--engines 0) there is no series.",
            ("class",),
            registry=self.registry,
        )
        groups = (
            CallMetrics(self.registry),
            HttpMetrics(self.registry),
            ExecutorMetrics(self.registry),
            ExplanationMetrics(self.registry),
            ModelMetrics(self.registry),
            StoreMetrics(self.registry, store),
            EndpointMetrics(self.registry),
            AccessMetrics(self.registry),
            EngineMetrics(self.registry),
        )
        # An explanation gives dozens of records, so a record goes straight to the groups that take its type.
        self._takers = {
            kind: tuple(group.notice for group in groups if kind in group.takes)
            for kind in {kind for group in groups for kind in group.takes}
        }

    def watch(self, pool: WorkerPool) -> None:
        """Adds metrics of the worker pool, which are read from it whenever they are scraped."""
        size = Gauge(
            "sequela_pool_workers",
            "Threads of this process that run models. They are idle while engines run the models.",
            registry=self.registry,
        )
        busy = Gauge(
            "sequela_pool_busy",
            "Threads that run a batch at the moment. At sequela_pool_workers, all of them are in use.",
            registry=self.registry,
        )
        waiting = Gauge(
            "sequela_pool_waiting",
            "Requests with batches that wait for a thread. If it stays above 0, add cores or replicas.",
            registry=self.registry,
        )
        size.set(pool.workers)
        # These are read when they are scraped, so that batches need not update a gauge.
        busy.set_function(lambda: pool.busy)
        waiting.set_function(lambda: pool.waiting)

    def watch_admission(
        self, backlog_seconds: Mapping[str, Callable[[], float]], level: Callable[[], int]
    ) -> None:
        """Adds the work that waits or runs, by queue, and how far answers are rougher because of it."""
        backlog = Gauge(
            "sequela_backlog_core_seconds",
            "Seconds that one core needs for the explanations that wait or run. Rougher answers and refusals keep it "
            "short, so scale replicas on sequela_brownout_level and the use of processors.",
            ("queue",),
            registry=self.registry,
        )
        brownout = Gauge(
            "sequela_brownout_level",
            "How much rougher answers are because of overload: 0 not at all, 1 and 2 bulk answers, 3 and 4 "
            "interactive ones too, 5 interactive requests are also refused early. If it stays above 0, add cores or "
            "replicas.",
            registry=self.registry,
        )
        for queue, seconds in backlog_seconds.items():
            backlog.labels(queue).set_function(seconds)
        brownout.set_function(level)

    def watch_engines(self, trust: str, up: Callable[[], int]) -> None:
        """Adds how many engines of a class are up, which `up` returns."""
        self._engines_up.labels(trust).set_function(up)

    def watch_models(
        self, states: Callable[[], Mapping[str, str]], absences: Callable[[], Mapping[str, bool]]
    ) -> None:
        """Adds the state of each of the operator's models, by `m/v`, and whether engines lack it."""
        self.registry.register(ModelStateCollector(states, absences))

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        for notice in self._takers.get(type(record), ()):
            notice(record)
