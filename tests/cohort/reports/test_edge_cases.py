"""Cohorts with little or nothing in them: every report answers, or says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.errors import NotInCohort

Make = Callable[[list[dict[str, Any]]], Cohort]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    return lambda drawn: Cohort.open(
        write(tmp_path / "cohort", drawn, metadata(FEATURES, first_positive=0.5))
    )


def answers(cohort: Cohort) -> dict[str, int]:
    """How many rows each report has."""
    return {
        "events": cohort.events().num_rows,
        "features": cohort.features().num_rows,
        "constant": cohort.constant_features().num_rows,
        "latest": cohort.latest_share().num_rows,
        "pruning": cohort.pruning().num_rows,
        "failed": cohort.failed().num_rows,
        "quality": cohort.quality().num_rows,
        "warnings": cohort.warnings().num_rows,
        "verdicts": cohort.verdicts().num_rows,
        "provenance": cohort.provenance().num_rows,
    }


@pytest.mark.slow
def test_empty(made: Make) -> None:
    """No rows at all: empty tables, figures that say so, and a page."""
    cohort = made([])
    assert answers(cohort) == dict.fromkeys(answers(cohort), 0) | {"latest": 1, "pruning": 6}
    assert cohort.latest_share()["ratio_of_means"].to_pylist() == [None]
    assert cohort.pruning()["mean_length"].to_pylist() == [None] * 6
    assert cohort.first_positive().num_rows == 0
    assert len(cohort) == 0
    assert "0 sequences: 0 explained" in cohort.to_html()


@pytest.mark.slow
def test_all_failed(made: Make) -> None:
    """The reasons are there, and nothing else."""
    drawn = [row for row in rows(200) if row["status"] == "failed"]
    cohort = made(drawn)
    assert answers(cohort) == dict.fromkeys(answers(cohort), 0) | {"latest": 1, "pruning": 6, "failed": 2}
    page = cohort.to_html(by="segment", period_label="period")
    assert f"0 below the minimum score or without a positive prediction, {len(drawn)} failed" in page
    assert "no sequence was explained, so there is no feature to compare" in page


@pytest.mark.slow
def test_one_sequence(made: Make) -> None:
    """Means are its values; what needs two sequences is null."""
    row = next(row for row in rows(20) if row["status"] == "explained")
    cohort = made([row])
    found = cohort.events().to_pylist()
    assert [each["mean"] for each in found] == [event["value"] for event in row["events"]]
    assert {each["standard_error"] for each in found} == {None}
    assert cohort.fairness("amount", "segment")["low"].to_pylist() == [None]
    share = cohort.latest_share().to_pylist()[0]
    assert share["ratio_of_means"] == pytest.approx(
        row["events"][0]["value"] / (row["score"] - row["base_value"])
    )
    for figure in (cohort.plot.events(), cohort.plot.features(), cohort.plot.fairness("amount", "segment")):
        assert figure.axes
    assert "1 sequences: 1 explained" in cohort.to_html(by="segment")


def test_scores_on_both_sides_of_the_base_value(made: Make) -> None:
    """Their mean difference is near 0. The summary takes the median share, and says nothing of the ratio to it."""
    row = next(row for row in rows(20) if row["status"] == "explained")
    drawn = [
        {
            **row,
            "id": f"a{place}",
            "score": sign * (1 + 0.001 * place),
            "base_value": 0.0,
            "events": [{"t": 0, "value": sign * 0.25, "standard_error": 0.0}],
        }
        for place, sign in enumerate([1, -1] * 20)
    ]
    page = made(drawn).to_html()
    assert "The latest event (t = 0) has 25% of the difference" in page
    assert "the ratio of means is unclear" in page


@pytest.mark.slow
def test_everything_pruned_but_the_latest(made: Make) -> None:
    """Only t = 0 has values of its own."""
    drawn = [
        {**row, "events": row["events"][:1], "pruned_events": row["length"] - 1}
        for row in rows(60)
        if row["status"] == "explained"
    ]
    found = made(drawn).events().to_pylist()
    assert [(each["t"], each["n"], each["share"]) for each in found] == [(0, len(drawn), 1.0)]


@pytest.mark.slow
def test_scores_that_are_not_known(made: Make) -> None:
    """NaN and null scores of rows below the minimum are no alerts, and no part of any mean."""
    drawn = rows(200)
    for place, row in enumerate(drawn):
        if row["status"] == "below_minimum":
            row["score"] = row["raw_score"] = float("nan") if place % 2 else None
    cohort = made(drawn)
    below = sum(row["status"] == "below_minimum" for row in drawn)
    found = cohort.fairness("amount", "segment", threshold=-1.0).to_pylist()
    assert below > 5
    assert sum(row["n"] - row["positives"] for row in found) == below
    assert all(row["mean_score"] > 0.3 for row in found)
    assert cohort.drift("period").to_pylist()[0]["mean_before"] > 0.3
    assert sum(cohort.score_drift("period").bins["n_before"].to_pylist()) < 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "level", "report"),
    [
        ("events", "event", lambda cohort: cohort.events()),
        ("events", "event", lambda cohort: cohort.latest_share()),
        ("features", "feature", lambda cohort: cohort.features()),
        ("features", "feature", lambda cohort: cohort.constant_features()),
        ("features", "feature", lambda cohort: cohort.fairness("amount", "segment")),
        ("features", "feature", lambda cohort: cohort.drift("period")),
        ("features", "feature", lambda cohort: cohort.compare(cohort)),
    ],
)
def test_a_level_that_was_not_asked_for(
    made: Make, column: str, level: str, report: Callable[[Cohort], Any]
) -> None:
    """The error names it; the page leaves the section out and says why."""
    cohort = made([{**row, column: None} for row in rows(30)])
    with pytest.raises(
        NotInCohort, match=f"of the {level} level; run sequela explain-all with --level {level}"
    ):
        report(cohort)
    assert f"Not in this report: no row has attributions of the {level} level" in cohort.to_html()


def test_an_event_level_that_was_not_computed_is_no_pruned_event(made: Make) -> None:
    """With too few coalitions the level is asked for, and has no events. t = 0 is never pruned."""
    drawn = [row for row in rows(20) if row["status"] == "explained"]
    for row in drawn[:3]:
        row["events"] = []
    assert made(drawn).events()["share"].to_pylist()[0] == 1
