"""Reports by event, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.reports.events import event_density


def test_event_distribution(cohort: Cohort, event_frame: pd.DataFrame, explained: pd.DataFrame) -> None:
    """Every number at each index, over the sequences that have an event of their own there."""
    found = cohort.events(limit=12).to_pandas().set_index("t")
    groups = event_frame[event_frame["t"] > -12].groupby("t")["value"]
    assert list(found.index) == sorted(groups.groups, reverse=True)
    expected = pd.DataFrame(
        {
            "n": groups.size(),
            "share": groups.size() / len(explained),
            "mean": groups.mean(),
            "spread": groups.std(),
            "standard_error": groups.sem(),
            "p05": groups.quantile(0.05),
            "q25": groups.quantile(0.25),
            "median": groups.median(),
            "q75": groups.quantile(0.75),
            "p95": groups.quantile(0.95),
            "minimum": groups.min(),
            "maximum": groups.max(),
            "sampling_error": event_frame.groupby("t")["standard_error"].apply(
                lambda e: np.sqrt((e**2).mean())
            ),
        }
    ).loc[found.index]
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_names=False, check_dtype=False)


def test_a_pruned_event_has_no_value(cohort: Cohort, explained: pd.DataFrame) -> None:
    """n falls by the sequences that are shorter or pruned there; a pruned event does not count as 0."""
    found = cohort.events().to_pandas().set_index("t")
    kept = explained["length"] - explained["pruned_events"]
    assert found["n"].to_dict() == {t: int((kept > -t).sum()) for t in found.index}
    assert found["n"].iloc[-1] < found["n"].iloc[0]


def test_latest_share(cohort: Cohort, explained: pd.DataFrame) -> None:
    """Both readings of the paper's 41 %, and their standard errors."""
    latest = explained["events"].map(lambda events: events[0]["value"])
    difference = explained["score"] - explained["base_value"]
    ratios = (latest / difference)[difference.abs() >= 0.4]
    found = cohort.latest_share(minimum_difference=0.4).to_pylist()[0]
    ratio = latest.mean() / difference.mean()
    residual = latest - ratio * difference
    assert 0 < len(ratios) < len(latest)
    assert found == pytest.approx(
        {
            "n": len(latest),
            "mean_latest": latest.mean(),
            "mean_difference": difference.mean(),
            "ratio_of_means": ratio,
            "ratio_of_means_standard_error": residual.std() / np.sqrt(len(latest)) / difference.mean(),
            "n_ratios": len(ratios),
            "mean_of_ratios": ratios.mean(),
            "mean_of_ratios_standard_error": ratios.sem(),
            "median_of_ratios": ratios.median(),
            "q25_of_ratios": ratios.quantile(0.25),
            "q75_of_ratios": ratios.quantile(0.75),
        }
    )


def test_density_counts_every_value(cohort: Cohort, event_frame: pd.DataFrame) -> None:
    """The bins hold all values, none is left out, and none holds values of both signs."""
    found = event_density(cohort, limit=50).to_pandas()
    assert found.groupby("t")["n"].sum().to_dict() == event_frame.groupby("t").size().to_dict()
    for row in found.to_dict("records"):
        there = event_frame[event_frame["t"] == row["t"]]["value"]
        inside = there.between(row["lower"], row["upper"], inclusive="left").sum()
        # An edge may be a value, off by rounding.
        assert abs(inside - row["n"]) <= 1
        assert row["lower"] >= 0 or row["upper"] <= 0
