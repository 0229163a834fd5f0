"""Drift, against pandas and textbook formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort
from sequela_client.cohort.reports.periods import Period
from sequela_client.errors import CallerError

pytestmark = pytest.mark.slow


def test_by_label(cohort: Cohort, frame: pd.DataFrame, feature_frame: pd.DataFrame) -> None:
    """Welch's t of each feature, and of the score of all rows that have one."""
    found = cohort.drift("period", "before", "after").to_pylist()
    period = frame.set_index("id")["period"]
    scores = frame[frame["status"] != "failed"].assign(
        kind="score", feature="score", value=lambda r: r["score"]
    )
    values = pd.concat([scores[["id", "feature", "value"]], feature_frame]).dropna(subset="value")
    assert found[0]["kind"] == "score"
    assert {row["feature"] for row in found} == {"score", *FEATURES}
    for row in found:
        mine = values[values["feature"] == row["feature"]]
        before, after = (mine[mine["id"].map(period) == each]["value"] for each in ("before", "after"))
        error = np.sqrt(before.var() / len(before) + after.var() / len(after))
        wanted = {
            "n_before": len(before),
            "n_after": len(after),
            "mean_before": before.mean(),
            "mean_after": after.mean(),
            "change": after.mean() - before.mean(),
            "standard_error": error,
        }
        assert {name: row[name] for name in wanted} == pytest.approx(wanted)
        if error:
            first, second = before.var() / len(before), after.var() / len(after)
            degrees = (first + second) ** 2 / (first**2 / (len(before) - 1) + second**2 / (len(after) - 1))
            assert row["statistic"] == pytest.approx(row["change"] / error)
            assert row["degrees"] == pytest.approx(degrees)
            assert row["low"] < row["change"] < row["high"]
        else:
            assert row["statistic"] is None
    statistics = [abs(row["statistic"] or 0) for row in found[1:]]
    assert statistics == sorted(statistics, reverse=True)


def test_two_values_of_a_label_need_no_names(cohort: Cohort) -> None:
    """They are taken in their order."""
    for one, two in zip(
        cohort.drift("period").to_pylist(), cohort.drift("period", "after", "before").to_pylist(), strict=True
    ):
        assert one == pytest.approx(two)
    with pytest.raises(CallerError, match=r"two of its values: .*<b>bold"):
        cohort.drift("segment")


def test_by_time(cohort: Cohort, frame: pd.DataFrame) -> None:
    """A month, or two times with a slash; the end does not belong to the period."""
    times = pd.to_datetime(frame[frame["status"] == "explained"]["time"], utc=True)
    found = cohort.drift(before="2026-01", after="2026-02-01T00:00/2026-02-20").to_pylist()
    assert found[1]["n_before"] == (times < "2026-02-01").sum()
    assert found[1]["n_after"] == ((times >= "2026-02-01") & (times < "2026-02-20")).sum()


def test_another_cohort(cohort: Cohort, tmp_path: Path) -> None:
    """Two runs with the same accounts: each is a period of its own."""
    changed = rows(100, seed=3)
    for row in changed:
        for feature in row.get("features") or []:
            feature["value"] += 0.05 * (feature["feature"] == "clients_age")
    later = Cohort.open(write(tmp_path / "later", changed, metadata(FEATURES)))
    found = {row["feature"]: row for row in cohort.drift(later=later).to_pylist()}
    assert found["clients_age"]["change"] == pytest.approx(0.05, abs=0.01)
    assert found["clients_age"]["p_adjusted"] < 1e-6
    assert found["new_device"]["p_adjusted"] > 0.05
    with pytest.raises(CallerError, match="cannot be combined with later"):
        cohort.drift("period", later=later)


def test_population_stability_index(cohort: Cohort, frame: pd.DataFrame) -> None:
    """Σ (a − b) ln(a / b) over deciles of the scores before, with half a sequence added to each count."""
    found = cohort.score_drift("period", "before", "after")
    scores = frame[frame["status"] != "failed"].dropna(subset="raw_score")
    before, after = (scores[scores["period"] == each]["raw_score"] for each in ("before", "after"))
    edges = [-np.inf, *np.quantile(before, np.arange(1, 10) / 10), np.inf]
    counts = [np.histogram(each, edges)[0] for each in (before, after)]
    b, a = ((each + 0.5) / (each.sum() + 5) for each in counts)
    assert found.bins["n_before"].to_pylist() == counts[0].tolist()
    assert found.bins["n_after"].to_pylist() == counts[1].tolist()
    assert found.index == pytest.approx(((a - b) * np.log(a / b)).sum())
    assert found.bins["contribution"].to_numpy().sum() == pytest.approx(found.index)
    assert found.by_chance == pytest.approx(9 * (1 / len(before) + 1 / len(after)))


@pytest.mark.slow
def test_what_chance_gives(tmp_path: Path) -> None:
    """Where nothing has changed, the index is on average what is said of chance."""
    random = np.random.default_rng(8)
    splits = 30
    drawn = [
        {
            "id": str(place),
            "variant": "",
            "row": place,
            "status": "explained",
            "raw_score": float(random.random()),
            # Many ways to split the same scores at random.
            "labels": [(f"split {number}", "ab"[random.integers(2)]) for number in range(splits)],
        }
        for place in range(400)
    ]
    cohort = Cohort.open(write(tmp_path / "chance", drawn, metadata(), 400))
    found = [cohort.score_drift(f"split {number}") for number in range(splits)]
    assert np.mean([each.index for each in found]) == pytest.approx(found[0].by_chance, rel=0.3)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({}, "drift needs two periods"),
        ({"before": "2026-01"}, "drift needs two periods"),
        ({"before": "2026-01", "after": "2026-01-31"}, "overlap"),
        ({"before": "January", "after": "2026-02"}, "'January' is not a period; write a year"),
        ({"before": "2026-13", "after": "2026-02"}, "'2026-13' is not a period"),
        ({"before": "2026-02-01/2026-01-01", "after": "2026-03"}, "ends before it begins"),
        (
            {"before": "2024", "after": "2026"},
            r"no rows of this period; its times go from 2026-01-01 .* \(UTC\)",
        ),
        ({"by": "period", "before": "before", "after": "before"}, "the same value"),
        ({"by": "period", "before": "before", "after": "nope"}, "after: the cohort has no rows"),
        ({"by": "nope"}, "no row has the label 'nope'"),
    ],
)
def test_wrong_choices(cohort: Cohort, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(CallerError, match=message):
        cohort.drift(**choice)


def test_no_times(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    bare = [{**row, "time": None} for row in known]
    cohort = Cohort.open(write(tmp_path / "timeless", bare, metadata(FEATURES)))
    with pytest.raises(NotInCohort, match="run sequela explain-all with --time"):
        cohort.drift(before="2026-01", after="2026-02")


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-02-28", "2026-02-28", "2026-03-01"),
        ("2026-01-01/2026-01-01T00:00:00.000001", "2026-01-01", "2026-01-01T00:00:00.000001"),
        ("2026-01-01T01:00+01:00/2026-01-02", "2026-01-01", "2026-01-02"),
    ],
)
def test_periods(text: str, first: str, end: str) -> None:
    period = Period.parse(text)
    assert [period.first, period.end] == [pd.Timestamp(each, tz="UTC").value // 1000 for each in (first, end)]
