"""A histogram that takes many values at once."""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class ValueHistogram(Collector):
    """A histogram without labels. Thread-safe.

    An explanation calls a model dozens of times. `prometheus_client.Histogram` takes its values one by one, with two
    locks and a search through all bounds for each.

    Args:
        name: The name of the metric.
        text: What it measures.
        bounds: The upper bounds of the buckets, ascending, without infinity.
        registry: Where it is registered.
    """

    def __init__(self, name: str, text: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._text = name, text
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, values: Iterable[float]) -> None:
        """Adds values."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
                self._sum += value

    def collect(self) -> Iterator[Metric]:
        """Returns the metric. prometheus_client calls it whenever metrics are read."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        bounds = (*map(floatToGoString, self._bounds), "+Inf")
        buckets = list(zip(bounds, itertools.accumulate(map(float, counts)), strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=total)
