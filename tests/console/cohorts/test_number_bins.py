"""Bins with about as many numbers in each, where some numbers are very frequent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from console.cohort_files import read_rows, write_cohort, write_rows
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.cohorts.event_spec import BinKind, DecisionClass, EventSpec, WeightKind
from sequela_console.cohorts.event_table import event_table, header_of
from sequela_console.cohorts.marks import cell_members
from sequela_console.cohorts.number_bins import number_bins
from sweeps import first_few


def test_zero_is_apart_from_what_is_rare(tmp_path: Path) -> None:
    """Of a count that is 0 in 95 % of the events, a grid has 0, and bins of the rest, and so have its members."""
    rng, rows = np.random.default_rng(1), []
    for row in read_rows(write_cohort(tmp_path / "made", 60, ["600"])):
        for event in row["event_values"] or ():
            event["values"][0] = str(int(rng.integers(1, 51)) if rng.random() < 0.05 else 0)
        rows.append(row)
    cohort = CohortCatalogue({"c": write_rows(tmp_path / "zeros", rows)}).cohort("c")
    spec = EventSpec(("checkpoint=600",), WeightKind.ATTRIBUTION, DecisionClass(0.2), BinKind.QUANTILE, 9, 12)
    table = event_table(cohort, spec)
    amount = header_of(table)["attributes"][0]
    assert amount["levels"][0] == "0"
    assert amount["edges"][1] >= 1
    assert len(amount["levels"]) >= 8
    assert amount["note"].startswith("So frequent that it has a bin of its own: 0.")
    zeros = sum(e["values"][0] == "0" for row in rows for e in row["event_values"] or ())
    members = {"pair": [0, 2], "class": "both"}
    ages = range(len(table.attributes[2].levels))
    found = [cell_members(table, {**members, "levels": [0, age]}, "checkpoint=600").events for age in ages]
    assert sum(each or 0 for each in found) == zeros


@pytest.mark.parametrize("seed", first_few(range(20), 4))
@pytest.mark.parametrize("count", [2, 3, 9, 40])
def test_bins_are_ordered_and_as_equal_as_they_can_be(seed: int, count: int) -> None:
    """No bin is empty, and none with several numbers holds far more than its share of what is not frequent."""
    rng = np.random.default_rng(seed)
    spikes = rng.choice([0.0, 3.5, 10.0, 99.0], 400, p=[0.7, 0.1, 0.1, 0.1])
    known = np.concatenate([spikes, rng.normal(5, 3, 100), np.full(seed, 120.0)])
    rng.shuffle(known)
    bins = number_bins(known, BinKind.QUANTILE, count)
    held = np.bincount(bins.places(known), minlength=len(bins.edges) - 1)
    assert len(held) == len(bins.names) <= count
    assert held.min() > 0
    assert (np.diff(bins.edges) >= 0).all()
    for number in bins.alone:
        place = bins.places(np.array([number]))[0]
        assert held[place] == (known == number).sum()


def test_without_frequent_numbers_bins_are_quantiles() -> None:
    """Nothing is told then."""
    known = np.random.default_rng(2).normal(size=500)
    bins = number_bins(known, BinKind.QUANTILE, 9)
    np.testing.assert_allclose(bins.edges, np.quantile(known, np.arange(10) / 9))
    assert (bins.alone, bins.note) == ((), "")


def test_a_maximum_that_is_frequent_is_alone() -> None:
    """Such as a share of 100 %."""
    known = np.concatenate([np.arange(50), np.full(500, 100.0)])
    bins = number_bins(known, BinKind.QUANTILE, 4)
    assert bins.names[-1] == "100"
    assert (bins.places(known) == len(bins.names) - 1).sum() == 500


def test_bins_of_counts_are_named_by_their_whole_numbers() -> None:
    """Counts are 0, 1, and 2 to 3, not "0 to <1"; bins that no whole number is in keep their ends as names."""
    counts = np.array([0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 9], dtype=np.float64)
    bins = number_bins(counts, BinKind.QUANTILE, 4)
    held = [sorted(set(counts[bins.places(counts) == place])) for place in range(len(bins.names))]
    for name, values in zip(bins.names, held, strict=True):
        first, _, last = name.partition(" to ")
        assert float(first) <= values[0] <= values[-1] <= float(last or first), name
        assert "<" not in name
    assert "0" in bins.names
    assert number_bins(counts[:9], BinKind.WIDTH, 9).names[0] == "0 to <0.333"
