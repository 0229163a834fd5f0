"""Failures, accuracy, warnings, verdicts and provenance, against pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cohort.reports.cohort_files import metadata, write
from cohort.reports.synthetic import FEATURES, rows
from sequela_client.cohort.dataset import Cohort
from sequela_client.cohort.summary import sentences

pytestmark = pytest.mark.slow


def test_statuses(cohort: Cohort, frame: pd.DataFrame) -> None:
    counts = frame["status"].value_counts()
    assert cohort.statuses().to_pylist() == [
        {"status": status, "n": n, "share": n / len(frame)} for status, n in counts.items()
    ]


def test_failed(cohort: Cohort, frame: pd.DataFrame) -> None:
    """By reason, with an example's message and the first three ids."""
    failed = frame[frame["status"] == "failed"]
    for row in cohort.failed().to_pylist():
        mine = failed[failed["reason"] == row["reason"]].sort_values("row")
        assert row["n"] == len(mine)
        assert row["share"] == pytest.approx(len(mine) / len(frame))
        assert row["message"] == mine["message"].iloc[0]
        assert row["ids"] == mine["id"].head(3).tolist()
    assert cohort.failed()["n"].to_numpy().sum() == len(failed)


def test_quality(cohort: Cohort, explained: pd.DataFrame) -> None:
    """Level by level, those that were computed."""
    found = cohort.quality().to_pylist()
    assert [row["level"] for row in found] == ["event", "feature"]
    mine = pd.DataFrame(explained["quality"].map(lambda levels: levels["event"]).tolist())
    wanted: dict[str, Any] = {
        "level": "event",
        "n": len(mine),
        "not_computed": 0,
        "exact": (mine["stop_reason"] == "exact").mean(),
        "target": (mine["stop_reason"] == "target").mean(),
        "budget": 0.0,
        "deadline": 0.0,
        "median_standard_error": mine["largest_standard_error"].median(),
        "p95_standard_error": mine["largest_standard_error"].quantile(0.95),
        "largest_standard_error": mine["largest_standard_error"].max(),
        "mean_players": mine["players"].mean(),
        "mean_coalitions": mine["coalitions"].mean(),
        "largest_residual": mine["additivity_residual"].max(),
    }
    assert found[0] == pytest.approx(wanted)


def test_levels_that_were_not_computed(tmp_path: Path) -> None:
    """They are counted, and their zeros count as nothing; a level that no explanation has is there, too."""
    drawn = [row for row in rows(60, seed=3) if row["status"] == "explained"]
    for place, row in enumerate(drawn):
        missing = {**row["quality"]["event"], "stop_reason": "not_computed", "largest_standard_error": 0.0}
        row["quality"] = {**row["quality"], "feature": missing}
        if place < 5:
            row["quality"]["event"] = {**missing, "players": 0, "coalitions": 0, "additivity_residual": 0.0}
    cohort = Cohort.open(write(tmp_path / "cut", drawn, metadata(FEATURES)))
    event, feature = cohort.quality().to_pylist()
    left = [row["quality"]["event"] for row in drawn[5:]]
    assert (event["n"], event["not_computed"]) == (len(left), 5)
    assert event["median_standard_error"] == pytest.approx(
        pd.Series([each["largest_standard_error"] for each in left]).median()
    )
    assert event["mean_players"] == pytest.approx(sum(each["players"] for each in left) / len(left))
    shares = sum(event[stop] for stop in ("exact", "target", "budget", "deadline"))
    assert shares == pytest.approx(1)
    assert (feature["n"], feature["not_computed"]) == (0, len(drawn))
    assert (feature["exact"], feature["largest_standard_error"]) == (None, None)
    told = " ".join(sentences(cohort))
    assert "Event level: 5 explanations lack it, since there was no time to compute it." in told
    assert f"Feature level: {len(drawn)} explanations lack it" in told


def test_warnings(cohort: Cohort, explained: pd.DataFrame) -> None:
    n = explained["warnings"].map(len).sum()
    assert cohort.warnings().to_pylist() == [
        {"code": "BACKGROUND_IS_ALARMING", "n": n, "share": pytest.approx(n / len(explained))}
    ]


def test_verdicts(cohort: Cohort, explained: pd.DataFrame) -> None:
    verdict = explained["pruning"].map(lambda pruning: pruning["verdict"])
    value = explained["pruning"].map(lambda pruning: pruning["value"]).astype(float)
    for row in cohort.verdicts().to_pylist():
        mine = verdict.isna() if row["verdict"] is None else verdict == row["verdict"]
        assert row["n"] == mine.sum()
        assert row["share"] == pytest.approx(mine.mean())
        assert row["mean_pruned_events"] == pytest.approx(explained["pruned_events"][mine].mean())
        if row["verdict"]:
            assert row["mean_value"] == pytest.approx(value[mine].mean())
            assert row["mean_absolute"] == pytest.approx(value[mine].abs().mean())


def test_provenance(cohort: Cohort, explained: pd.DataFrame) -> None:
    found = cohort.provenance().to_pylist()
    assert [(row["model_digest"], row["background_digest"], row["n"]) for row in found] == [
        ("sha256:aa", "sha256:bb", len(explained))
    ]


def test_tables_have_plain_types(cohort: Cohort) -> None:
    """Counts are integers and numbers are doubles: no decimals that pandas turns into objects."""
    tables = [
        *(cohort.events(), cohort.features(), cohort.constant_features(), cohort.latest_share()),
        *(cohort.first_positive(), cohort.pruning(), cohort.fairness("amount", "segment", outcome="fraud=1")),
        *(cohort.drift("period"), cohort.score_drift("period").bins, cohort.compare(cohort).summary),
        *(cohort.compare(cohort).features, cohort.failed(), cohort.quality(), cohort.warnings()),
        *(cohort.verdicts(), cohort.statuses()),
    ]
    kinds = {str(field.type) for table in tables for field in table.schema}
    assert kinds <= {"int32", "int64", "double", "string", "bool", "list<item: string>", "list<l: string>"}
