"""The fairness slice, against pandas."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort
from sequela_client.errors import CallerError

pytestmark = pytest.mark.slow

Z = 1.959963984540054


def interval(successes: int, n: int) -> tuple[float, float]:
    """Wilson's interval, as the two roots of its quadratic equation."""
    share = successes / n
    low, high = sorted(np.roots([1 + Z**2 / n, -(2 * share + Z**2 / n), share**2]).real)
    return float(low), float(high)


def expected(
    rows: pd.DataFrame, feature_frame: pd.DataFrame, feature: str, threshold: float
) -> dict[str, Any]:
    """The numbers of one group, from its rows that did not fail."""
    values = feature_frame[(feature_frame["feature"] == feature) & feature_frame["id"].isin(rows["id"])]
    positive = rows["raw_score"].ge(threshold)  # NaN is not
    negatives = rows["fraud"] != "1"
    rate, wrong = interval(positive.sum(), len(rows)), interval((positive & negatives).sum(), negatives.sum())
    return {
        "n": len(rows),
        "n_explained": len(values),
        "mean": values["value"].mean(),
        "spread": values["value"].std(),
        "standard_error": values["value"].sem(),
        "sampling_error": sqrt((values["standard_error"] ** 2).mean()),
        "mean_score": rows["raw_score"].mean(),
        "positives": positive.sum(),
        "positive_rate": positive.mean(),
        "positive_rate_low": rate[0],
        "positive_rate_high": rate[1],
        "negatives": negatives.sum(),
        "false_positives": (positive & negatives).sum(),
        "false_positive_rate": (positive & negatives).sum() / negatives.sum(),
        "false_positive_rate_low": wrong[0],
        "false_positive_rate_high": wrong[1],
    }


def check(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_by_label(cohort: Cohort, frame: pd.DataFrame, feature_frame: pd.DataFrame) -> None:
    """Every number of each value of a label. Failed rows do not count; rows below the minimum count as negative."""
    found = cohort.fairness("clients_age", "segment", 0.6, "fraud=1").to_pylist()
    alive = frame[frame["status"] != "failed"]
    assert [row["group"] for row in found] == sorted(alive["segment"].unique())
    for row in found:
        check(row, expected(alive[alive["segment"] == row["group"]], feature_frame, "clients_age", 0.6))


def test_numbers_are_put_into_bins(cohort: Cohort, frame: pd.DataFrame, feature_frame: pd.DataFrame) -> None:
    """A label with many numbers becomes bins of about equal size, named by the numbers in them, in order."""
    found = cohort.fairness("amount", "age", 0.5, "fraud=1", groups=4).to_pylist()
    alive = frame[frame["status"] != "failed"].assign(age=lambda rows: rows["age"].astype(int))
    assert len(found) == 4
    ends = [tuple(map(int, row["group"].split(" to "))) for row in found]
    assert ends == sorted(ends)
    assert (ends[0][0], ends[-1][1]) == (alive["age"].min(), alive["age"].max())
    for row, (low, high) in zip(found, ends, strict=True):
        check(row, expected(alive[alive["age"].between(low, high)], feature_frame, "amount", 0.5))
        assert 0.15 * len(alive) < row["n"] < 0.35 * len(alive)


def test_by_displayed_value(cohort: Cohort, explained: pd.DataFrame, feature_frame: pd.DataFrame) -> None:
    """A feature's value at the latest event; rows that show none are a group of their own."""
    latest = explained.assign(
        group=explained["event_values"].map(
            lambda values: float(values[0]["values"][FEATURES.index("amount")])
        )
    )
    found = cohort.fairness("amount", "feature:amount", 0.5, "fraud=1", groups=3).to_pylist()
    assert [row["group"] is None for row in found] == [False, False, False, True]
    for row in found[:3]:
        low, high = map(float, row["group"].split(" to "))
        check(row, expected(latest[latest["group"].between(low, high)], feature_frame, "amount", 0.5))


def test_without_outcome(cohort: Cohort) -> None:
    """No false positive rates are made up."""
    found = cohort.fairness("amount", "segment").to_pandas()
    assert found.filter(regex="false_positive|negatives").isna().all(axis=None)


def test_mean_interval(cohort: Cohort) -> None:
    """Student's interval: a little wider than the normal one."""
    row = cohort.fairness("amount", "segment").to_pylist()[0]
    half = (row["high"] - row["low"]) / 2 / row["standard_error"]
    assert row["n_explained"] < 200
    assert 1.96 < half < 2.02


def test_many_values(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    """The most frequent values are groups of their own, and the rest is one."""
    rows = [
        {**row, "labels": [("shop", "big" if place % 3 else f"shop {place:03}"), ("amount", "1")]}
        for place, row in enumerate(known)
    ]
    found = (
        Cohort.open(write(tmp_path / "many", rows, metadata(FEATURES))).fairness("amount", "shop").to_pylist()
    )
    assert len(found) == 20
    assert found[-1]["group"] == "(other values)"
    assert sum(row["n"] for row in found) == sum(row["status"] != "failed" for row in rows)


def test_a_threshold_is_about_the_raw_score(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    """With link=logit, a score above 0 is a probability above 0.5, and only the probability is compared."""
    rows = [
        {**row, "raw_score": place / 100, "score": float(np.log((place + 0.5) / (100.5 - place)))}
        for place, row in enumerate(row for row in known if row["status"] == "explained")
        if place <= 100
    ]
    cohort = Cohort.open(write(tmp_path / "logit", rows, metadata(FEATURES, options={"link": "logit"})))
    found = cohort.fairness("amount", "segment", threshold=0.3).to_pylist()
    assert sum(row["positives"] for row in found) == sum(row["raw_score"] >= 0.3 for row in rows)
    assert all(0 <= row["mean_score"] <= 1 for row in found)
    lowers = cohort.score_drift("period").bins["lower"].to_pylist()
    assert all(0 <= each <= 1 for each in lowers if each is not None)


def test_a_rate_without_cases_is_null(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    """A group in which every outcome is positive has no false positive rate."""
    rows = [
        {**row, "labels": [("g", f"g{place % 2}"), ("fraud", str(int(place % 2 or place % 4 == 0)))]}
        for place, row in enumerate(known)
    ]
    cohort = Cohort.open(write(tmp_path / "rate", rows, metadata(FEATURES)))
    found = cohort.fairness("amount", "g", outcome="fraud=1").to_pylist()
    assert [row["negatives"] == 0 for row in found] == [False, True]
    assert found[1]["false_positive_rate"] is None
    assert found[1]["false_positive_rate_low"] is None
    assert 0 < found[0]["false_positive_rate_low"] < found[0]["false_positive_rate"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"feature": "nope"}, "no row has an attribution of 'nope'; features are amount"),
        (
            {"by": "nope"},
            "neither a label nor a feature; labels: age, fraud, period, segment; features: amount",
        ),
        ({"by": "label:nope"}, "no row has the label 'nope'"),
        ({"outcome": "fraud"}, "not of the form LABEL=VALUE"),
        ({"outcome": "nope=1"}, "no row has the label 'nope'"),
        ({"outcome": "fraud=yes"}, "no row has fraud=yes; its values are '0', '1'"),
        ({"groups": 1}, "at least 2"),
    ],
)
def test_wrong_choices(cohort: Cohort, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(CallerError, match=message):
        cohort.fairness(**{"feature": "amount", "by": "segment", **choice})


def test_a_name_that_is_both(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    rows = [{**row, "labels": [("amount", "high")]} for row in known]
    cohort = Cohort.open(write(tmp_path / "both", rows, metadata(FEATURES)))
    with pytest.raises(CallerError, match="write 'label:amount' or 'feature:amount'"):
        cohort.fairness("amount", "amount")
    assert cohort.fairness("amount", "label:amount")["group"].to_pylist() == ["high"]


def test_no_displayed_values(tmp_path: Path, known: list[dict[str, Any]]) -> None:
    rows = [{**row, "event_values": None} for row in known]
    cohort = Cohort.open(write(tmp_path / "bare", rows, metadata(FEATURES)))
    with pytest.raises(NotInCohort, match="no displayed values"):
        cohort.fairness("amount", "amount")
