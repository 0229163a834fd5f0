"""Metrics of explaining: explanations, calls of models and the states of models."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sequela.adapters.metrics.buckets import ERRORS, EVENTS, RESIDUALS, ROWS, SECONDS, STAGE_SECONDS
from sequela.adapters.metrics.value_histogram import ValueHistogram
from sequela.explain.ports import ModelState
from sequela.explain.telemetry import BatchesEvaluated, BatchEvaluated, ExplanationFinished, Record, StageDone
from sequela.spans import exemplar


class ExplanationMetrics:
    """Counts explanations, and measures their time and precision."""

    takes = (StageDone, ExplanationFinished)

    def __init__(self, registry: CollectorRegistry) -> None:
        # Children are cached here: prometheus_client takes a lock and half of an observation's time to look one up.
        self._outcomes = functools.cache(
            Counter(
                "sequela_explanations",
                "Explanations that ended, by outcome: ok, cached, cut_short, below_minimum or the reason of an "
                "error. A growing share of cut_short means that deadlines are too short for the load: add replicas, "
                "or give more time.",
                ("outcome",),
                registry=registry,
            ).labels
        )
        self._seconds = functools.cache(
            Histogram(
                "sequela_explain_duration_seconds",
                "Seconds of an explanation (level all) and of each of its levels, without the wait for a thread. If it "
                "grows at the same load, sequences became longer, or the cores are shared.",
                ("level",),
                buckets=SECONDS,
                registry=registry,
            ).labels
        )
        self._stages = functools.cache(
            Histogram(
                "sequela_stage_duration_seconds",
                "Seconds of a stage: decode, resolve, score, prune, event, feature, cell, encode or store. It shows "
                "which stage takes the time: score, prune and the levels run the model.",
                ("stage",),
                buckets=STAGE_SECONDS,
                registry=registry,
            ).labels
        )
        self._pruned = Histogram(
            "sequela_pruned_events",
            "Number of pruned events of an explanation. If it falls, more events are players, and explanations take "
            "longer.",
            buckets=EVENTS,
            registry=registry,
        )
        self._residual = functools.cache(
            Histogram(
                "sequela_additivity_residual",
                "Largest |sum of attributions - (score - base value)| of a level. Above 1e-6 the numbers are wrong, "
                "which is a bug: report it.",
                ("level",),
                buckets=RESIDUALS,
                registry=registry,
            ).labels
        )
        self._error = functools.cache(
            Histogram(
                "sequela_standard_error",
                "Largest standard error of a level, in units of the score. If it drifts upwards, answers have wider "
                "error bars: deadlines cut explanations short, or the model depends on more events than before.",
                ("level",),
                buckets=ERRORS,
                registry=registry,
            ).labels
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case StageDone(stage, seconds):
                self._stages(stage).observe(seconds, exemplar())
            case ExplanationFinished(outcome, seconds, pruned_events, levels):
                self._outcomes(outcome).inc()
                self._seconds("all").observe(seconds, exemplar())
                if pruned_events is not None:
                    self._pruned.observe(pruned_events)
                for level in levels:
                    self._seconds(level.level).observe(level.seconds, exemplar())
                    self._residual(level.level).observe(level.residual)
                    self._error(level.level).observe(level.standard_error, exemplar())


class ModelMetrics:
    """Counts the calls of models."""

    takes = (BatchEvaluated, BatchesEvaluated)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "sequela_model_calls",
            "Calls of models, in this process and in engines. Divided by the number of explanations, they show what "
            "one costs.",
            registry=registry,
        )
        self._rows = Counter(
            "sequela_model_rows",
            "Rows of these calls: sequences, or parts of sequences. Rows per call show how well batches are filled.",
            registry=registry,
        )
        self._batch = ValueHistogram(
            "sequela_model_batch_rows", "Rows in one call. Small batches use the cores badly.", ROWS, registry
        )
        self._seconds = ValueHistogram(
            "sequela_model_call_seconds",
            "Seconds of one call. If it grows at the same batch size, the cores are shared or slowed down.",
            SECONDS,
            registry,
        )

    def notice(self, record: Record) -> None:
        """See `Observer`."""
        match record:
            case BatchEvaluated(rows, seconds):
                self._observe((rows,), (seconds,))
            case BatchesEvaluated(rows, seconds):
                self._observe(rows, seconds)

    def _observe(self, rows: Sequence[int], seconds: Sequence[float]) -> None:
        self._calls.inc(len(rows))
        self._rows.inc(sum(rows))
        self._batch.observe(rows)
        self._seconds.observe(seconds)


class ModelStateCollector(Collector):
    """Shows the state of each of the operator's models: 1 for the state it is in, 0 for the others.

    Args:
        states: Returns the state of each model by `m/v`.
        absences: Returns for each model that engines run whether one of them did not have it in the last minute.
    """

    def __init__(
        self, states: Callable[[], Mapping[str, str]], absences: Callable[[], Mapping[str, bool]]
    ) -> None:
        self._states, self._absences = states, absences

    def collect(self) -> Iterator[Metric]:
        """Returns the metrics. prometheus_client calls it whenever they are read."""
        family = GaugeMetricFamily(
            "sequela_model_state",
            "1 for the state that a model of the operator is in (loading, ready, failed), 0 for the other states. "
            "For a failed one, /readyz and the log say why. Without a model repository there is no series.",
            labels=("model", "state"),
        )
        for model, state in self._states().items():
            for each in ModelState:
                # A series for each state, so that a change of state does not leave the old one at 1.
                family.add_metric((model, each.value), each.value == state)
        yield family
        yield self._absent()

    def _absent(self) -> Metric:
        family = GaugeMetricFamily(
            "sequela_model_absent",
            "1 if an engine did not have a model of the operator in the last minute, because its files have changed or "
            "cannot be read; requests fail there with MODEL_CHANGED. Without engines there is no series.",
            labels=("model",),
        )
        for model, absent in self._absences().items():
            family.add_metric((model,), absent)
        return family
