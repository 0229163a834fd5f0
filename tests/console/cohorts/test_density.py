"""The bins of a density, where a few effects are far larger than all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from console.cohort_files import read_rows, write_cohort, write_rows
from sequela_console.cohort_files.catalogue import CohortCatalogue
from sequela_console.cohorts.density import event_density
from sequela_console.cohorts.member_query import condition_of
from sequela_console.cohorts.variants import rows_of_variant

VARIANT = "checkpoint=600"


def test_a_value_far_out_does_not_hide_the_others(tmp_path: Path) -> None:
    """The others have tens of bins, and the open bin counts it, and opens its sequence."""
    rows = read_rows(write_cohort(tmp_path / "made", 60, ["600"]))
    explained = [row for row in rows if row["status"] == "explained"]
    explained[3]["events"][0]["value"], explained[4]["events"][0]["value"] = 1e30, -7.0
    cohort = CohortCatalogue({"c": write_rows(tmp_path / "far", rows)}).cohort("c")
    found = event_density(cohort, rows_of_variant(cohort, VARIANT), 50)
    assert (found.open_low, found.open_high) == (True, True)
    edges = np.array(found.edges)
    assert 0.0 in found.edges
    assert np.allclose(np.diff(edges), edges[-1] - edges[-2])
    assert edges[-1] < 0.5
    for strip, counts in zip(found.rows, found.counts, strict=True):
        own = np.array([e["value"] for row in explained for e in row["events"] if str(e["t"]) == strip.key])
        inner = np.clip(np.searchsorted(edges, own, side="right") - 1, 0, len(edges) - 2)
        assert counts == tuple(np.bincount(inner, minlength=len(edges) - 1))
    assert np.count_nonzero(np.sum(found.counts, axis=0)) > 30
    held = rows_of_variant(cohort, VARIANT)
    condition = condition_of(held, {"kind": "event_bin", "t": 0, "low": found.edges[-2], "high": None})
    ids = cohort.query(f"SELECT id FROM {held.rows} WHERE {condition.text}", condition.values).to_pylist()
    assert [each["id"] for each in ids] == [explained[3]["id"]]
