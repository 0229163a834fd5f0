"""A histogram for many values says what prometheus_client's says of the same values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from sequela.adapters.metrics.value_histogram import ValueHistogram

BOUNDS = (0.5, 1, 2, 100)


@given(st.lists(st.lists(st.sampled_from((0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 99.0, 100.0, 1e6)))))
def test_it_equals_the_usual_one(parts: list[list[float]]) -> None:
    """Values on a bound and beyond the last one, several at a time and none. The values add up exactly."""
    usual, ours = CollectorRegistry(), CollectorRegistry()
    one = Histogram("rows", "Rows.", buckets=BOUNDS, registry=usual)
    other = ValueHistogram("rows", "Rows.", BOUNDS, ours)
    for values in parts:
        other.observe(values)
        for value in values:
            one.observe(value)
    assert lines(ours) == lines(usual)


def lines(registry: CollectorRegistry) -> list[str]:
    """What Prometheus reads, without the time of creation."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
