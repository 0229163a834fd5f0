"""Counts of attributions in two-dimensional bins, for the strips of Figures 3 and 4, and some of the dots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.reports.levels import event_values, feature_values

from sequela_console.cohort_files.open_cohort import OpenCohort
from sequela_console.cohorts.event_words import event_words

# Bins over the whole range of values. A strip of some 400 points cannot show more.
MOST_BINS = 80
# If some values are more than FAR times as large as those between this quantile and the one on the other side, the
# bins are made for the latter.
INNER = 0.995
FAR = 2.0
# Dots of all strips together; a strip has those of the same sequences as the others.
MOST_DOTS = 3000
LEAST_DOTS = 20


@dataclass(frozen=True, slots=True)
class DensityRow:
    """A strip: an index of events, or a feature."""

    key: str
    label: str
    n: int
    mean: float | None
    share: float | None


@dataclass(frozen=True, slots=True)
class Dot:
    """One attribution: its strip, its value, and the row of its sequence."""

    row: int
    value: float
    sequence: int


@dataclass(frozen=True, slots=True)
class DensityData:
    """Strips of counts.

    Args:
        rows: the strips.
        edges: the ends of the bins, one more than there are bins. A value belongs to the bin whose lower end it is at
            or above, and whose upper end it is below.
        counts: for each strip the number of values in each bin.
        open_low: whether the first bin has all values that are below its upper end, too.
        open_high: whether the last bin has all values that are above its lower end, too.
        sample: the values of some sequences, always the same ones.
    """

    rows: tuple[DensityRow, ...]
    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    open_low: bool
    open_high: bool
    sample: tuple[Dot, ...]


def event_density(cohort: OpenCohort, rows: Cohort, limit: int) -> DensityData:
    """Returns a strip for each index of events, from the latest back."""
    found = rows.events(limit).to_pylist()
    strips = [
        DensityRow(str(each["t"]), event_words(each["t"]), each["n"], each["mean"], each["share"])
        for each in found
    ]
    values = (
        f"(SELECT id, CAST(t AS VARCHAR) AS key, value FROM {event_values(rows)} WHERE t > {-int(limit)})"
    )
    return _density(cohort, rows, values, strips)


def feature_density(cohort: OpenCohort, rows: Cohort) -> DensityData:
    """Returns a strip for each feature, the largest |mean| first."""
    labels = {each.name: each.label for each in cohort.features}
    explained = int(rows.value(f"SELECT count(features) FROM {rows.explained}"))
    strips = [
        DensityRow(
            each["feature"],
            labels.get(each["feature"], each["feature"]),
            each["n"],
            each["mean"],
            each["n"] / explained,
        )
        for each in rows.features().to_pylist()
    ]
    values = f"(SELECT id, feature AS key, value FROM {feature_values(rows)})"
    return _density(cohort, rows, values, strips)


def _density(cohort: OpenCohort, rows: Cohort, values: str, strips: list[DensityRow]) -> DensityData:
    finite = f"(SELECT * FROM {values} WHERE isfinite(value))"
    width, reach = _scale(cohort, finite)
    # The quotient is rounded, so a value near an edge may be one bin off; comparing it with the edges corrects it.
    counted = cohort.query(
        "SELECT key, bin, count(*) AS n FROM (SELECT key, first - CAST(value < first * width AS INTEGER) "
        "+ CAST(value >= (first + 1) * width AS INTEGER) AS bin FROM "
        "(SELECT key, value, CAST(floor(value / width) AS INTEGER) AS first, width "
        # What is farther out counts in the bin after the last one, which has no end.
        "FROM (SELECT key, least(greatest(value, -(reach + 0.5) * width), (reach + 0.5) * width) AS value, width "
        f"FROM {finite}, (SELECT ?::DOUBLE AS width, ?::INTEGER AS reach)))) GROUP BY key, bin",
        (width, reach),
    ).to_pylist()
    first = min((each["bin"] for each in counted), default=0)
    last = max((each["bin"] for each in counted), default=0)
    places = {each.key: place for place, each in enumerate(strips)}
    counts = [[0] * (last - first + 1) for _ in strips]
    for each in counted:
        counts[places[each["key"]]][each["bin"] - first] = each["n"]
    return DensityData(
        rows=tuple(strips),
        edges=tuple(float(place) * width for place in range(first, last + 2)),
        counts=tuple(map(tuple, counts)),
        open_low=first < -reach,
        open_high=last >= reach,
        sample=_sample(cohort, rows, finite, places),
    )


def _scale(cohort: OpenCohort, values: str) -> tuple[float, int]:
    """Returns the width of bins, and how many of them there are at most on each side of 0."""
    found = cohort.query(
        "SELECT coalesce(max(abs(value)), 0) AS most, "
        f"coalesce(quantile_cont(value, {1 - INNER}::DOUBLE), 0) AS low, "
        f"coalesce(quantile_cont(value, {INNER}::DOUBLE), 0) AS high FROM {values}"
    ).to_pylist()[0]
    inner = max(abs(found["low"]), abs(found["high"]))
    # A few values far out would put all others into the two bins beside 0.
    most = inner if 0 < inner < found["most"] / FAR else found["most"]
    width = bin_width(-most, most)
    # One bin more than needed, so that the largest value of all is not at the end of an open bin.
    return width, floor(most / width) + 1


def bin_width(low: float, high: float) -> float:
    """Returns the smallest of 1, 2 or 5 times a power of ten with which at most MOST_BINS bins cover the range."""
    wanted = (high - low) / (MOST_BINS - 1)
    if wanted <= 0:
        return 1.0
    power = floor(log10(wanted))
    # Written as text, since 2 * 10**-3 is not the number that 0.002 is.
    return next(width for width in (float(f"{step}e{power}") for step in (1, 2, 5, 10)) if width >= wanted)


def _sample(cohort: OpenCohort, rows: Cohort, values: str, places: Mapping[str, int]) -> tuple[Dot, ...]:
    wanted = max(LEAST_DOTS, MOST_DOTS // max(1, len(places)))
    chosen = f"(SELECT id, row FROM {rows.explained} ORDER BY md5(id) LIMIT {wanted})"
    found: list[dict[str, Any]] = cohort.query(
        f"SELECT key, value, row FROM {values} JOIN {chosen} USING (id) ORDER BY row, key"
    ).to_pylist()
    return tuple(Dot(places[each["key"]], each["value"], each["row"]) for each in found)
